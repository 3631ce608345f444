"""What is seen at once: a first line before anything heavy, options in --help, sizes before the config, no torch."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tvo_cli.cli import override_args, startup_message
from tvo_cli.cli.main import app, main

runner = CliRunner()
WATCH = """
import json, sys
import tvo_cli.cli.startup_message as opening

def seen(command, doing):
    heavy = [n for n in ("torch", "transformers", "hydra", "omegaconf", "numpy", "rich") if n in sys.modules]
    print(json.dumps([f"{command}: {doing}", heavy]))
    raise SystemExit(0)

opening.announce_on_stderr = seen
from tvo_cli.cli.main import main
main(sys.argv[1:])
"""
FIRST = [
    (["train", "model=custom", "model.path=m"], "tvo train: loading torch, transformers and the model m"),
    pytest.param(
        ["eval", "model.path=m"], "tvo eval: loading torch, transformers and the model m", marks=pytest.mark.slow
    ),
    pytest.param(["sft"], "tvo sft: loading torch, transformers", marks=pytest.mark.slow),
    pytest.param(["variance"], "tvo variance: loading torch, transformers", marks=pytest.mark.slow),
    pytest.param(
        ["replay", ".", "--step", "3"], "tvo replay: loading torch, transformers and .", marks=pytest.mark.slow
    ),
    pytest.param(["train", "-m", "seed=0,1"], "tvo train: composing the jobs", marks=pytest.mark.slow),
    (["train", "--dry-run"], "tvo train --dry-run: composing the configuration"),
    (["env"], "tvo env: asking torch and transformers"),
]


@pytest.mark.parametrize(("typed", "said"), FIRST, ids=lambda value: value[0] if isinstance(value, list) else "")
def test_the_first_line_comes_before_anything_heavy(typed: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "recorder" / "step-000003").mkdir(parents=True)  # a step that was not recorded is refused before
    program = [sys.executable, "-c", WATCH, *typed]
    done = subprocess.run(program, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert json.loads(done.stdout) == [said, []]


def test_what_loads_nothing_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    startup_message.announce_loading("tvo train", ["--cfg", "job"])
    startup_message.announce_loading("tvo train", ["--info=defaults"])
    assert capsys.readouterr().err == ""
    startup_message.announce_loading("tvo train", ["model.path=a\x1b[2J"])
    assert capsys.readouterr().err == "tvo train: loading torch, transformers and the model a\\x1b[2J …\n"


def test_a_closed_stderr_stops_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stream = (tmp_path / "closed").open("w")
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    startup_message.announce_on_stderr("tvo train", "loading")  # raises where a closed stream is not expected
    assert (tmp_path / "closed").read_text() == ""


@pytest.mark.slow
def test_a_dry_run_reads_no_weights_and_shows_sizes_first() -> None:
    program = (
        "import sys, safetensors.torch; safetensors.torch.load_file = None; from tvo_cli.cli.main import main;"
        "print(main(['train', '--dry-run']), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "0"
    sizes, _, config = done.stdout.partition("\n\n")
    assert (
        sizes.startswith("tokens a prompt")
        and "prompts a batch" in sizes
        and "parameters" in sizes
        and config.startswith("seed: 0")
    )


@pytest.mark.parametrize("command", ["train", "eval", "sft", "variance"])
def test_hydras_options_are_in_the_options_list(command: str) -> None:
    shown = runner.invoke(app, [command, "--help"]).output
    options = shown[shown.index("Options:") :]
    assert all(f" {option} " in options for option in ("--multirun", "--cfg", "--config-dir")) and "-m," in options


def test_hydra_is_given_its_options_and_the_rest_untouched() -> None:
    given = override_args.hydra_arguments(["a=1,2", "-cn", "x"], True, "job", "mine")
    assert given == ["--multirun", "--cfg", "job", "--config-dir", "mine", "a=1,2", "-cn", "x"]
    assert override_args.hydra_arguments(None, False, None, None) == []


def test_usage_lines_have_one_style() -> None:
    for command in ("train", "sft", "eval", "grade", "variance", "replay", "compare", "list", "ls", "env"):
        usage = runner.invoke(app, [command, "--help"]).output.splitlines()[0]
        named = usage.replace("[OPTIONS]", "").split()[3:]
        assert all(re.fullmatch(r"[\[{]?[A-Z=]+[\]}]?(\.\.\.)?", word) for word in named), usage


def test_a_run_that_is_not_there_is_said_before_torch_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    from tvo_cli.cli.main import main

    assert main(["replay", "outputs/re", "--step", "3"]) == 2
    told = capsys.readouterr().err
    assert "RUN=outputs/re: there is no such folder." in told and "loading" not in told


REPEATED = ("seed=1", "seed=2")
SAID_OF_REPEATED = "seed is given twice (seed=1 seed=2): the last one holds, seed=2."


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["train", *REPEATED, "--cfg", "job"], "tvo train"),
        (["train", "--dry-run", *REPEATED, "optimizer.lr=-1"], "tvo train --dry-run"),
        (["train", "-m", "seed=1,2", "seed=2", "optimizer.lr=-1"], "tvo train"),
        (["eval", *REPEATED, "--cfg", "job"], "tvo eval"),
        (["eval", "--regrade", "none", *REPEATED], "tvo eval"),
        (["sft", *REPEATED, "--cfg", "job"], "tvo sft"),
        (["variance", *REPEATED, "--cfg", "job"], "tvo variance"),
        (["check-algorithm", "grpo", *REPEATED, "optimizer.lr=-1"], "tvo check-algorithm"),
    ],
)
def test_every_command_with_overrides_says_a_key_that_is_given_twice(
    words: list[str], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(words)
    said = SAID_OF_REPEATED.replace("seed=1 seed=2", "seed=1,2 seed=2") if "-m" in words else SAID_OF_REPEATED
    assert f"{command}: {said}\n" in capsys.readouterr().err

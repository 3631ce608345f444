"""`tvo list`, `tvo --version`, completion, and words that are no command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tvo_cli import __version__, config
from tvo_cli.cli import completion, printing
from tvo_cli.cli.listing import NO_RECIPES
from tvo_cli.cli.main import app, main

runner = CliRunner()


def test_version() -> None:
    assert runner.invoke(app, ["--version"]).output == f"tvo {__version__}\n"


@pytest.mark.parametrize("word", ["algorithm", "algorithms"])
def test_list_has_an_entry_for_every_choice(word: str) -> None:
    result = runner.invoke(app, ["list", word])
    lines = result.output.partition(f"\n{NO_RECIPES}\n")[0].splitlines()
    names = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert result.exit_code == 0 and names == config.choices_of_group("algorithm") and max(map(len, lines)) <= 110
    ppo = " ".join(result.output.split("\nppo ")[1].split("\nprogrpo ")[0].split())
    assert "critic" in ppo and "Changes GRPO at: estimator" in ppo and ppo.endswith("arXiv:1707.06347, notes.")


def test_a_choice_that_begins_with_its_name_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "conf" / "reward" / "cautious.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("# cautious: as few words as will do.\n", encoding="utf-8")
    said = runner.invoke(app, ["list", "rewards"]).output
    assert "as few words as will do" in said and said.count("cautious") == 1


def test_list_alone_names_the_groups() -> None:
    lines = runner.invoke(app, ["list"]).output.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == config.config_groups()


def test_a_paper_leaves_no_mark_behind() -> None:
    said = runner.invoke(app, ["list", "models"]).output
    assert "Llama 3.2 1B Instruct: gated on the hub" in said and ", :" not in said


def test_list_as_a_page() -> None:
    lines = (
        runner.invoke(app, ["list", "algorithms", "--markdown"]).output.partition(f"\n{NO_RECIPES}\n")[0].splitlines()
    )
    assert lines[0].startswith("| algorithm | what it is |") and len(lines) == 2 + len(
        config.choices_of_group("algorithm")
    )
    assert len({line.count(" | ") for line in lines}) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "algoritms"], "tvo: group=algoritms: there is no such group. Nearest: algorithm."),
        (["trian"], "'train'"),
        (["list", "algorithms", "--wide"], "--wide"),
    ],
)
def test_a_wrong_word_is_one_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    printed = capsys.readouterr().err
    assert said in printed and printed.count("\n") == 1


def test_a_table_in_a_pipe_is_aligned_and_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    printing.print_table(("a", "b", "c"), [["x", "", "w" * 300], ["longer", "", "y"]])
    assert capsys.readouterr().out == f"x       {'w' * 300}\nlonger  y\n"


@pytest.mark.parametrize(
    ("before", "incomplete", "wanted", "unwanted"),
    [
        ([], "algorithm=tv", "algorithm=tvo", "algorithm=grpo"),
        ([], "rollout.pro", "rollout.prompts=", "rollout.samples="),
        (["seed=1,2", "-m"], "algo", "algorithm=", "model="),
        (["algorithm", "="], "tv", "tvo", "grpo"),  # bash's splitting at the equals sign
        (["algorithm"], "", "tvo", "algorithm=tvo"),
        (["algorithm", "=", "grpo"], "seed", "seed=", "algorithm="),
        (["--cfg", "job"], "rew", "reward=", "job="),
    ],
)
def test_overrides_are_completed(before: list[str], incomplete: str, wanted: str, unwanted: str) -> None:
    found = completion.override_completions(before, incomplete, "train")
    assert wanted in found and unwanted not in found


def test_parts_are_no_completions() -> None:
    found = completion.override_completions([], "algorithm=", "train")
    assert found and not [match for match in found if "=_" in match]


def test_completion_never_prints_an_error() -> None:
    context = type("Context", (), {"params": {"overrides": ["algorithm=nonsense", "x=["]}})()
    assert completion.complete(context, "roll") == []


def test_the_shell_is_answered() -> None:
    environment = {
        "COMP_WORDS": "tvo train algorithm=tvo_re",
        "COMP_CWORD": "2",
        "_TVO_COMPLETE": "complete_bash",
    }
    assert runner.invoke(app, [], env=environment, prog_name="tvo").output.split() == ["algorithm=tvo_rec"]


def test_a_summary_is_figures_with_their_own_names() -> None:
    text = printing.command_summary_lines(
        "eval", {"evaluation": {"eval/pass@1": 0.50781}, "a": {"b": 12345}, "long": "x" * 99}, "f"
    )
    assert [line.split() for line in text.splitlines()[1:]] == [["eval/pass@1", "0.5078"], ["a.b", "12,345"]]


def test_every_command_takes_debug() -> None:
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    taken = {name: {one.name for one in command.params} for name, command in commands.items()}
    assert [name for name, options in taken.items() if "debug" not in options] == []


@pytest.mark.parametrize("words", [["ls", "nope"], ["list", "nope"], ["new", "algorithm", "1x"]])
def test_debug_shows_the_traceback_and_changes_no_exit_code(
    words: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    line = capsys.readouterr().err
    assert line.startswith("tvo: ") and line.count("\n") == 1
    assert main([*words, "--debug"]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback") and shown.endswith(line)

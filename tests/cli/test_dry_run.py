"""`tvo train --dry-run` shows the sizes, starts nothing, and refuses what a run refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tvo_cli.cli.main import main

from .conftest import Experiment


def test_a_dry_run_starts_and_writes_nothing(
    experiment: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = ["dataset=reasoning_gym", "+dataset.options.api_key=hush"]
    assert main(["train", "--dry-run", "rollout.prompts=1000", "rollout.samples=2", *secret]) == 0
    printed = capsys.readouterr().out
    assert experiment.configs == [] and list(tmp_path.iterdir()) == []
    table, _, config = printed.partition("\n\n")
    assert yaml.safe_load(config)["rollout"]["prompts"] == 1000 and "hush" not in printed and "${" not in config
    assert "2,000" in table and "prompts × samples" in table


def test_a_dry_run_of_a_sweep_shows_its_first_job(experiment: Experiment, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--dry-run", "-m", "rollout.prompts=4,8", "rollout.samples=8", "seed=1,2"]) == 0
    printed = capsys.readouterr().out
    table, sizes, config = printed.split("\n\n")[:3]
    assert table.startswith("4 jobs") and table.splitlines()[1:] == [
        "job  rollout.prompts  seed  rollouts_a_batch",
        "0    4                1     32",
        "1    4                2     32",
        "2    8                1     64",
        "3    8                2     64",
    ]
    assert "32" in sizes and yaml.safe_load(config)["rollout"]["prompts"] == 4


@pytest.mark.parametrize(
    ("words", "problem"), [((), "holds what `tvo sft` wrote"), (("-m", "seed=1,2"), "holds a single run")]
)
def test_a_dry_run_in_the_folder_of_another_command_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], problem: str
) -> None:
    (tmp_path / "state.json").write_text('{"state": "finished", "command": "sft"}')
    assert main(["train", "--dry-run", *words, f"output_dir={tmp_path}"]) == 2
    assert problem in capsys.readouterr().err


def test_a_sweep_without_a_job_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--dry-run", "-m", "seed=range(3,3)", "algorithm=grpo,ppo"]) == 2
    assert (
        "tvo: override=seed=range(3,3): has no value here, so that the sweep would have no job."
        in capsys.readouterr().err
    )


@pytest.mark.slow
def test_what_is_odd_about_a_file_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = ["question,answer", *(f"{n} + 1 =,{n + 1}" for n in range(9)), "9 + 1 =,1"]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    words = [f"dataset.path={tmp_path / 'a.csv'}", "dataset.holdout=4", "dataset.suffix=''", "rollout.max_tokens=8"]
    sizes = ["rollout.prompts=4", "rollout.minibatches=1,2", "evaluation.problems=4", "evaluation.max_tokens=8"]
    assert main(["train", "--dry-run", "-m", "dataset=jsonl", *words, *sizes]) == 0
    assert caplog.text.count("the last line has no line end") == 1


@pytest.mark.slow
def test_a_dry_run_of_a_presets_own_sweep_shows_what_differs_without_composing_all(
    experiment: Experiment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tvo_cli import config

    composed: list[list[str]] = []
    compose = config.compose
    monkeypatch.setattr(config, "compose", lambda words, *rest: composed.append(words) or compose(words, *rest))
    assert main(["train", "--dry-run", "-m", "experiment=rivals_small"]) == 0
    lines = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert lines[0].startswith("480 jobs;") and lines[1].split() == ["setting", "values", "which"]
    assert [line.split()[:2] for line in lines[2:5]] == [["algorithm", "24"], ["optimizer.lr", "4"], ["seed", "5"]]
    assert lines[3].endswith("5e-05, 0.0001, 0.0003, 0.001") and "Sizes may differ with algorithm" in lines[5]
    assert len(composed) <= 4, "each takes a fifth of a second of processor time"
    assert main(["train", "--dry-run", "-m", "experiment=rivals_small", "algorithm=grpo,ppo", "optimizer.lr=1e-4"]) == 0
    rows = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert rows[0].startswith("10 jobs") and len(rows) == 12
    assert rows[1].split() == ["job", "algorithm", "seed"] and rows[-1].split() == ["9", "ppo", "4"]


@pytest.mark.parametrize(
    ("swept", "said"),
    [
        ("optimizer.lr=1e-4,-1", "optimizer.lr=-1: must be a number, more than 0"),
        ("seed=0,1.5", "seed=1.5: must be a whole number"),
        ("algorithm=tvo,tvoo", "Nearest: tvo"),
    ],
)
def test_a_dry_run_of_a_sweep_refuses_a_later_value(
    experiment: Experiment, capsys: pytest.CaptureFixture[str], swept: str, said: str
) -> None:
    assert main(["train", "--dry-run", "-m", "seed=range(9)", swept]) == 2
    assert said in capsys.readouterr().err


def test_a_dry_run_refuses_what_a_run_refuses(experiment: Experiment, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--dry-run", "algorithm=tvoo"]) == 2
    assert "Nearest: tvo" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["algorithm.step_rule.minimum=300"], ["-m", "algorithm.step_rule.minimum=1,300"]])
def test_a_dry_run_refuses_what_only_a_piece_knows(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--dry-run", *words]) == 2
    assert "minimum=300: is more than algorithm.step_rule.maximum=256" in capsys.readouterr().err


def test_a_dry_run_over_servers_names_them_and_asks_none(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing listens there; what is sampled takes no memory here, and the weights that are handed over have a size."""
    urls = "rollout.url=[http://127.0.0.1:9,http://127.0.0.1:10]"
    assert main(["train", "--dry-run", "rollout=server", urls, "output_dir=x"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "servers http://127.0.0.1:9, http://127.0.0.1:10 rollout.url" in told
    assert "weights for the servers, GB 0.0004 before each batch, in x/served" in told


SHARDS = ("parallel=shard", "parallel.gather=bfloat16")
STEP = ("rollout.prompts=64", "rollout.samples=8", "rollout.minibatches=4", "rollout.epochs=2")


def sizes_of_ranks(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, str]:
    """The lines of the table after that of the ranks, by label."""
    assert main(["train", "--dry-run", *words]) == 0
    lines = capsys.readouterr().out.split("\n\n")[0].splitlines()
    begin = next((n for n, line in enumerate(lines) if line.startswith("ranks ")), len(lines))
    return {line[:24].strip(): line[24:].strip() for line in lines[begin:]}


@pytest.mark.slow
def test_of_several_ranks_it_says_what_each_holds_what_travels_and_what_is_waited_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    host = sizes_of_ranks(capsys, *SHARDS, *STEP, "--ranks", "8")
    assert host["ranks"].startswith("8") and "copies of the weights: 1, each among 8" in host["ranks"]
    assert host["memory a rank, GB"].split()[1] == "peak:" and "shards" in host["moved a step, GB a rank"]
    assert host["bottleneck"].startswith("decoding") and "rollout=server" in host["bottleneck"]
    many = sizes_of_ranks(capsys, *SHARDS, *STEP, "--ranks", "16", "parallel.shard_over=8")
    assert "copies of the weights: 2, each among 8" in many["ranks"]
    assert "gradients" in many["moved a step, GB a rank"] and "gradients" not in host["moved a step, GB a rank"]
    replicas = sizes_of_ranks(capsys, "parallel=replicate", *STEP, "--ranks", "8")
    assert "shards" not in replicas["moved a step, GB a rank"]
    assert sizes_of_ranks(capsys, *SHARDS, *STEP) == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--dry-run", "--ranks", "8"], "parallel=single: 8 processes were started. Take parallel=replicate or"),
        (["--dry-run", "--ranks", "0"], "--ranks=0: is no number of processes. Give 1 or more."),
        (["--ranks", "8", "parallel=shard"], "--ranks=8: is for --dry-run. torchrun --standalone --nproc-per-node=8"),
        (["--dry-run", "--ranks", "64", "parallel=shard"], "rollout.minibatches=4: a minibatch has 32 prompts for 64"),
    ],
)
def test_ranks_that_cannot_be_are_refused(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", *words]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"tvo: {said}") and list(tmp_path.iterdir()) == []


def test_a_dry_run_refuses_all_that_the_run_would_of_a_file(
    experiment: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(f'{{"question": "{i} + 3 =", "answer": {i + 3}}}\n' for i in range(9)), encoding="utf-8")
    words = ["dataset=jsonl", f"dataset.path={path}", "dataset.suffix=''", "rollout.prompts=64"]
    assert main(["train", "--dry-run", *words]) == 2
    said = capsys.readouterr().err
    assert "rollout.max_tokens=1024: problem mine/" in said and "rollout.prompts=64: there are 8 problems" in said
    assert main(["train", "--dry-run", *words, "dataset.columns.answer=nope"]) == 2
    assert "nope" in capsys.readouterr().err


def written_rows(path: Path, count: int, **more: object) -> list[str]:
    """A file of sums, and the words of a run on it whose sizes fit."""
    rows = [{"question": f"{i} + 3 =", "answer": i + 3, **more} for i in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    sizes = ["rollout.prompts=4", "rollout.max_tokens=8", "evaluation.max_tokens=8", "evaluation.problems=4"]
    return ["dataset=jsonl", f"dataset.path={path}", "dataset.suffix=''", *sizes]


def levels(*stages: tuple[int, int]) -> list[str]:
    told = ", ".join(f"{{step: {step}, levels: [{level}]}}" for step, level in stages)
    return ["curriculum=levels", f"curriculum.stages=[{told}]"]


@pytest.mark.parametrize(
    ("row", "stages", "said"),
    [
        ({}, levels((0, 1)), "curriculum.stages=['1']: no problem of jsonl has such a level. There are: none"),
        ({"level": 1}, levels((0, 1), (3, 7)), "curriculum.stages=['7']: no problem of jsonl has such a level"),
        ({"level": 1}, levels((5, 1)), "curriculum.stages=[5]: must begin at step 0 and rise."),
        ({"level": 1}, levels((0, 1), (3, 1)), ""),
    ],
    ids=["no levels", "another level", "late", "right"],
)
def test_a_dry_run_refuses_a_curriculum_that_the_data_cannot_follow(
    experiment: Experiment,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    row: dict[str, int],
    stages: list[str],
    said: str,
) -> None:
    words = written_rows(tmp_path / "mine.jsonl", 9, **row)
    assert main(["train", "--dry-run", *words, *stages]) == (2 if said else 0)
    assert said in capsys.readouterr().err


@pytest.mark.slow  # it looks at 20,000 problems
@pytest.mark.parametrize(("level", "code"), [(77, 2), (5, 0)])
def test_a_dry_run_draws_generated_problems_of_each_stage(experiment: Experiment, level: int, code: int) -> None:
    assert main(["train", "--dry-run", "dataset=arithmetic", *levels((0, 5), (3, level))]) == code


@pytest.mark.slow
def test_a_dry_run_says_that_held_out_problems_are_training_problems(
    experiment: Experiment, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = written_rows(tmp_path / "mine.jsonl", 9)
    for model in ([], ["model=custom", "model.path=somebody/elsewhere"]):
        caplog.clear()
        assert main(["train", "--dry-run", *words, *model, f"dataset.test_path={tmp_path / 'mine.jsonl'}"]) == 0
        assert caplog.text.count("4 of the 4 held-out problems are training problems too") == 1
    caplog.clear()
    assert main(["train", "--dry-run", *words, "evaluation.problems=1"]) == 0 and not caplog.text


def test_a_dry_run_refuses_a_folder_in_which_no_run_can_begin(
    experiment: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["train", "--dry-run", "output_dir=file/below"]) == 2
    assert "file: cannot be made: Not a directory" in capsys.readouterr().err
    assert main(["train", "--dry-run", "output_dir=fresh", "resume=must"]) == 2
    assert "resume=must: there is no checkpoint in" in capsys.readouterr().err
    assert not (tmp_path / "fresh").exists()


@pytest.mark.slow
def test_a_dry_run_knows_whether_the_run_may_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["rollout.prompts=4", "rollout.samples=2", "rollout.minibatches=1", "rollout.max_tokens=4"]
    words = [*sizes, "evaluation.problems=0", "logger=none", "algorithm=grpo", f"output_dir={tmp_path / 'run'}"]
    assert main(["train", *words, "trainer.steps=1", "trainer.checkpoint_every=1"]) == 0
    capsys.readouterr()
    assert main(["train", "--dry-run", *words, "trainer.steps=2"]) == 0
    assert main(["train", "--dry-run", *words, "optimizer.lr=0.5"]) == 2
    assert "holds a run with other settings: optimizer.lr=0.5" in capsys.readouterr().err
    assert main(["train", "--dry-run", *words, "optimizer.lr=0.5", "resume=never"]) == 0

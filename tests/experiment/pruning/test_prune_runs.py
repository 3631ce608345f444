"""`tvo prune`: what nothing needs goes, and what a resume, an evaluation or another run needs stays."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.conftest import train_in
from tvo_cli.checkpoint import checkpoint_folders, checkpoint_writer
from tvo_cli.checkpoint.checkpoint_damage import find_damage
from tvo_cli.checkpoint.policy_only import is_policy_only
from tvo_cli.cli.main import main
from tvo_cli.errors import UserError
from tvo_cli.experiment.pruning.prune_runs import prunable_runs
from tvo_cli.model.model_files.policy_checkpoint import resolve_policy_checkpoint
from tvo_cli.tracking import run_status


def checkpoint(run: Path, step: int, score: float | None = None) -> Path:
    def policy(folder: Path) -> None:
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(b"weights of step %d" % step)

    state = {"step": step, "counters": {"score": score}}
    tensors = {"optimizer": {"0.exp_avg": torch.zeros(6)}}
    return checkpoint_writer.save_checkpoint(
        run / "checkpoints" / checkpoint_folders.checkpoint_name(step), policy=policy, tensors=tensors, state=state
    )


def run_with(folder: Path, state: str, *, config: str = "", **facts: Any) -> Path:
    """A run of three checkpoints, of which the second is the best."""
    for step, score in ((10, 0.1), (20, 0.9), (30, 0.5)):
        checkpoint(folder, step, score)
    (folder / "config.yaml").write_text(config)
    (folder / "metrics.jsonl").write_text("")
    (folder / "recorder").mkdir()
    (folder / "recorder" / "step.safetensors").write_bytes(b"recorded")
    (folder / "state.json").write_text(json.dumps({"state": state} | facts))
    if state == "finished":
        (folder / "summary.json").write_text('{"steps": 30}')
    return folder


def names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def contents(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def running_here() -> dict[str, Any]:
    born = run_status._process_start_time(os.getpid())
    return {"host": socket.gethostname(), "pid": os.getpid(), "born": born}


def test_of_a_finished_run_the_last_and_the_best_policy_stay(tmp_path: Path) -> None:
    run = run_with(tmp_path / "run", "finished")
    assert main(["prune", str(tmp_path), "--yes"]) == 0
    assert names(run) == ["step-000020", "step-000030"]
    assert all(is_policy_only(one) and not find_damage(one) for one in (run / "checkpoints").iterdir())
    assert [Path(resolve_policy_checkpoint(str(run), one)).parent.name for one in ("best", "last")] == names(run)
    assert (run / "recorder" / "step.safetensors").read_bytes() == b"recorded"


def test_the_list_says_the_bytes_of_each_and_deletes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_with(tmp_path / "run", "finished")
    before = contents(tmp_path)
    assert main(["prune", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert contents(tmp_path) == before
    assert "no step can be added" in said and "Nothing was deleted" in said
    folders = [run / "checkpoints" / f"step-0000{step}" for step in (10, 20, 30)]
    whole = sum(len(content) for content in contents(folders[0]).values())
    resume = [len(before[folder / "optimizer.safetensors"]) for folder in folders[1:]]
    assert [removal.bytes for removal in prunable_runs(tmp_path)[0].removals] == [whole, *resume]
    assert f"{whole + sum(resume)} bytes in all" in said


def test_a_second_time_there_is_nothing_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_with(tmp_path / "run", "finished")
    main(["prune", str(tmp_path), "--yes"])
    before = contents(tmp_path)
    capsys.readouterr()
    assert main(["prune", str(tmp_path), "--yes"]) == 0
    assert capsys.readouterr().out == "0 bytes deleted\n" and contents(tmp_path) == before


@pytest.mark.parametrize("state", ["interrupted", "failed", "running"])
def test_of_an_unfinished_run_only_leftovers_go(tmp_path: Path, state: str) -> None:
    run = run_with(tmp_path / "run", state, host=socket.gethostname(), pid=2**22 + 1)
    before = contents(tmp_path)
    (run / "checkpoints" / ".step-000040.partial").mkdir()
    (run / "checkpoints" / ".step-000040.partial" / "half").write_bytes(b"half")
    assert main(["prune", str(run), "--yes"]) == 0
    assert contents(tmp_path) == before
    assert names(run) == ["step-000010", "step-000020", "step-000030"]


def test_a_run_that_began_again_after_its_summary_is_not_finished(tmp_path: Path) -> None:
    run = run_with(tmp_path / "run", "interrupted")
    (run / "summary.json").write_text("{}")
    before = contents(tmp_path)
    assert main(["prune", str(run), "--yes"]) == 0
    assert contents(tmp_path) == before


def test_a_whole_checkpoint_that_stepped_aside_is_no_leftover(tmp_path: Path) -> None:
    run = run_with(tmp_path / "run", "interrupted")
    (run / "checkpoints" / "step-000030").rename(run / "checkpoints" / ".step-000030.old")
    before = contents(tmp_path)
    assert main(["prune", str(run), "--yes"]) == 0
    assert contents(tmp_path) == before


def test_a_running_run_is_passed_over_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_with(tmp_path / "live", "running", **running_here())
    (run / "summary.json").write_text("{}")
    (run / "checkpoints" / ".step-000040.partial").mkdir()
    before, found = contents(tmp_path), names(run)
    for words in ([], ["--yes"]):
        assert main(["prune", str(tmp_path), *words]) == 0
        assert "live: running" in capsys.readouterr().out
    assert contents(tmp_path) == before and names(run) == found


def test_damaged_newer_ones_go_and_nothing_goes_where_none_is_whole(tmp_path: Path) -> None:
    one, none = run_with(tmp_path / "one", "finished"), run_with(tmp_path / "none", "finished")
    (one / "checkpoints/step-000030/policy/model.safetensors").write_bytes(b"cut")
    for folder in (none / "checkpoints").iterdir():
        (folder / "policy/model.safetensors").write_bytes(b"cut")
    before = contents(none)
    assert main(["prune", str(tmp_path), "--yes"]) == 0
    assert names(one) == ["step-000020"] and contents(none) == before


@pytest.mark.parametrize(
    "config",
    [
        "model: {{path: {run}, checkpoint: step-000010}}",
        "model: {{path: {run}/checkpoints/step-000010}}",
        "model: {{path: elsewhere, base: {run}/checkpoints/step-000010/policy}}",
        "model: {{path: first/checkpoints/step-000010/policy}}",
    ],
)
def test_a_checkpoint_that_another_run_names_stays(tmp_path: Path, config: str) -> None:
    first = run_with(tmp_path / "first", "finished")
    run_with(tmp_path / "second", "interrupted", config=config.format(run=first))
    assert main(["prune", str(tmp_path), "--yes"]) == 0
    assert names(first) == ["step-000010", "step-000020", "step-000030"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("config.yaml", "protocol: {{switch: {{small: {policy}}}}}"),
        ("config.yaml", "estimators: [grpo, 'grpo model.path={policy}']"),
        ("state.json", '{{"command": "variance", "state": "failed", "overrides": ["behaviour={policy}"]}}'),
        ("resume/experiment.json", '{{"model.path": "{policy}"}}'),
        ("config.yaml", "anything: [{{of: {link}}}]"),
    ],
)
def test_any_value_that_is_a_path_into_a_checkpoint_keeps_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, text: str
) -> None:
    first, second = run_with(tmp_path / "first", "finished"), tmp_path / "second"
    (tmp_path / "link").symlink_to(first / "checkpoints" / "step-000010" / "policy")
    (second / "resume").mkdir(parents=True)
    (second / "state.json").write_text('{"command": "eval", "state": "finished"}')
    named = text.format(policy=first / "checkpoints/step-000010/policy", link=tmp_path / "link")
    (second / file).write_text(named)
    assert main(["prune", str(tmp_path)]) == 0
    assert f"first/checkpoints/step-000010: stays; {second} names it" in capsys.readouterr().out
    assert main(["prune", str(tmp_path), "--yes"]) == 0
    assert names(first) == ["step-000010", "step-000020", "step-000030"]


def test_an_evaluation_in_a_folder_named_profile_keeps_what_it_names(tmp_path: Path) -> None:
    first, second = run_with(tmp_path / "p" / "a", "finished"), tmp_path / "p" / "profile"
    second.mkdir()
    (second / "state.json").write_text('{"command": "eval", "state": "finished"}')
    (second / "config.yaml").write_text(f"model: {{path: {first}/checkpoints/step-000010/policy}}")
    assert main(["prune", str(tmp_path), "--yes"]) == 0
    assert "step-000010" in names(first)


def test_a_job_that_waits_keeps_what_it_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, sweep = run_with(tmp_path / "a", "finished"), tmp_path / "sweep"
    run_with(sweep / "begun", "interrupted")
    waiting = {"folder": "next", "overrides": [f"model.path={first}/checkpoints/step-000010/policy"]}
    (sweep / "sweep.json").write_text(json.dumps({"jobs": [waiting]}))
    assert main(["prune", str(tmp_path)]) == 0
    assert f"a/checkpoints/step-000010: stays; {sweep} names it" in capsys.readouterr().out
    assert main(["prune", str(tmp_path), "--yes"]) == 0
    assert "step-000010" in names(first)


@pytest.mark.parametrize("file", ["b/config.yaml", "b/evaluation.json", "sweep.json"])
def test_a_record_that_cannot_be_read_may_name_anything_so_nothing_goes(
    tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run_with(tmp_path / "a", "finished")
    run_with(tmp_path / "b", "finished")
    (tmp_path / file).write_text("model: {path: [")
    assert main(["prune", str(tmp_path), "--yes"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert Path(file).name in said and "cannot be read" in said and "Mend it" in said
    assert names(first) == ["step-000010", "step-000020", "step-000030"]


def test_a_run_behind_a_link_keeps_what_it_names_and_is_not_pruned(tmp_path: Path) -> None:
    first, other = run_with(tmp_path / "here" / "a", "finished"), run_with(tmp_path / "there" / "b", "finished")
    (other / "config.yaml").write_text(f"model: {{path: {first}/checkpoints/step-000010}}")
    (tmp_path / "here" / "link").symlink_to(tmp_path / "there")
    before = contents(other)
    assert main(["prune", str(tmp_path / "here"), "--yes"]) == 0
    assert "step-000010" in names(first) and contents(other) == before


def test_the_base_of_an_adapter_stays(tmp_path: Path) -> None:
    first, second = run_with(tmp_path / "first", "finished"), run_with(tmp_path / "second", "interrupted")
    base = {"path": str(first / "checkpoints/step-000010/policy")}
    (second / "checkpoints/step-000010/policy/base.json").write_text(json.dumps(base))
    assert main(["prune", str(tmp_path), "--yes"]) == 0
    assert "step-000010" in names(first)


def test_the_last_healthy_policy_before_a_collapse_stays(tmp_path: Path) -> None:
    run = run_with(tmp_path / "run", "finished")
    for step in (10, 20, 30, 40):
        checkpoint(run, step)
    (run / "collapse.json").write_text('{"last_healthy_policy": 25}')
    assert main(["prune", str(tmp_path), "--yes"]) == 0
    assert [name for name in names(run) if name.startswith("step-")] == ["step-000020", "step-000040"]


def test_what_keep_every_asked_for_stays_as_a_policy(tmp_path: Path) -> None:
    run = run_with(tmp_path / "run", "finished", config="trainer: {keep_every: 10}")
    assert main(["prune", str(run), "--yes"]) == 0
    assert names(run) == ["step-000010", "step-000020", "step-000030"]
    assert all(is_policy_only(one) for one in (run / "checkpoints").iterdir())


def test_no_folder_is_one_line_and_no_runs_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prune", str(tmp_path / "none")]) == 2
    assert "DIR=" in capsys.readouterr().err
    assert main(["prune", str(tmp_path)]) == 0
    assert "no runs with checkpoints" in capsys.readouterr().out
    with pytest.raises(UserError):
        prunable_runs(tmp_path / "none")


@pytest.mark.slow
def test_a_pruned_run_is_evaluated_again_and_not_made_longer(tmp_path: Path) -> None:
    words = ("trainer.checkpoint_every=1", "rollout.epochs=1")
    run = train_in(tmp_path / "run", (*words, "trainer.steps=2"))
    before = (run / "metrics.jsonl").read_bytes()
    assert main(["prune", str(run), "--yes"]) == 0
    train_in(run, (*words, "trainer.steps=2"))
    assert (run / "metrics.jsonl").read_bytes() == before
    finished = contents(run)
    with pytest.raises(UserError, match=r"tvo prune\): no step can be added"):
        train_in(run, (*words, "trainer.steps=3"))
    assert contents(run) == finished


def test_checkpoints_behind_a_link_are_not_touched(tmp_path: Path) -> None:
    run, elsewhere = run_with(tmp_path / "runs" / "run", "finished"), tmp_path / "elsewhere"
    (run / "checkpoints").rename(elsewhere)
    (run / "checkpoints").symlink_to(elsewhere)
    before = contents(elsewhere)
    assert main(["prune", str(tmp_path / "runs"), "--yes"]) == 0
    assert contents(elsewhere) == before


@pytest.mark.parametrize("named", ["policy/gone.json", "../../../mine.txt"])
def test_a_checkpoint_whose_manifest_names_what_is_not_in_it_stays_as_it_is(tmp_path: Path, named: str) -> None:
    run = run_with(tmp_path / "run", "finished", config="trainer: {keep_every: 10}")
    kept = run / "checkpoints" / "step-000010"
    (tmp_path / "mine.txt").write_text("mine")
    manifest = json.loads((kept / "manifest.json").read_text())
    (kept / "manifest.json").write_text(json.dumps(manifest | {named: {"bytes": 4, "sha256": "0"}}))
    before = contents(kept)
    assert main(["prune", str(tmp_path), "--yes"]) == 0
    assert contents(kept) == before and (tmp_path / "mine.txt").read_text() == "mine"
    assert is_policy_only(run / "checkpoints" / "step-000030")


def test_the_command_to_type_is_quoted_for_a_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_with(tmp_path / "my runs" / "run", "finished")
    assert main(["prune", str(tmp_path / "my runs")]) == 0
    assert f"tvo prune '{tmp_path / 'my runs'}' --yes" in capsys.readouterr().out

"""trainer.save_policy_only: a run comes out the same, can be resumed until it is finished, and takes less room."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.training.conftest import MetricRows, Runs, Whole, largest_difference, train_in, trained_policy
from tvo_cli.checkpoint import checkpoint_damage, checkpoint_folders
from tvo_cli.checkpoint.policy_only import drop_resume_tensors, is_policy_only
from tvo_cli.errors import UserError

ALONE = ("trainer.save_policy_only=true", "trainer.checkpoint_every=1", "trainer.keep=9")


def which_are_policy_only(folder: Path) -> dict[int, bool]:
    found = checkpoint_folders.list_checkpoints(folder / "checkpoints")
    assert all(checkpoint_damage.find_damage(one) == "" for one in found)
    return {checkpoint_folders.checkpoint_position(one)[0]: is_policy_only(one) for one in found}


@pytest.mark.slow
def test_all_checkpoints_of_a_finished_run_hold_the_policy_alone_and_the_same_one(whole: Whole, tmp_path: Path) -> None:
    undisturbed = whole("algorithm=tvo", "trainer.steps=2")
    alone = train_in(tmp_path / "alone", (*ALONE, "algorithm=tvo", "trainer.steps=2"))
    assert which_are_policy_only(alone) == {1: True, 2: True}
    assert largest_difference(trained_policy(undisturbed, 2), trained_policy(alone, 2)) == 0


@pytest.mark.slow
def test_until_it_is_finished_the_newest_one_is_whole_and_resumes_to_the_same_policy(
    run: Runs, pulled: Callable[..., None], tmp_path: Path
) -> None:
    whole = train_in(tmp_path / "uninterrupted", ("trainer.steps=3",))
    pulled("alone", *ALONE, "trainer.steps=3", after=2)
    assert which_are_policy_only(tmp_path / "alone") == {1: True, 2: False}
    alone = run("alone", *ALONE, "trainer.steps=3")
    assert largest_difference(trained_policy(whole, 3), trained_policy(alone, 3)) == 0


@pytest.mark.slow
def test_a_finished_run_is_evaluated_again_and_not_made_longer(tmp_path: Path, steps: MetricRows) -> None:
    run = train_in(tmp_path / "run", (*ALONE, "trainer.steps=2"))
    rows, summary = steps(run), json.loads((run / "summary.json").read_text(encoding="utf-8"))
    train_in(run, (*ALONE, "trainer.steps=2"))
    again = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    assert steps(run) == rows and again["steps"] == summary["steps"] == 2
    assert again["tokens"] == summary["tokens"] and again["grader"] == summary["grader"]
    assert which_are_policy_only(run) == {1: True, 2: True}
    finished = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=r"step-000002 holds the policy alone .* no step can be added"):
        train_in(run, (*ALONE, "trainer.steps=3"))
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == finished


@pytest.mark.slow
def test_a_pruned_run_that_is_evaluated_anew_does_not_pass_for_one_with_an_optimiser(tmp_path: Path) -> None:
    evaluated = ("trainer.steps=2", "evaluation=default", "evaluation.every=1", "evaluation.samples=1")
    run = train_in(tmp_path / "run", (*evaluated, "evaluation.problems=3"))
    newest = checkpoint_folders.list_checkpoints(run / "checkpoints")[-1]
    drop_resume_tensors(newest)
    before = checkpoint_folders.score_of_stored_policy(newest)
    train_in(run, (*evaluated, "evaluation.problems=40"))
    assert checkpoint_folders.score_of_stored_policy(newest) != before
    assert which_are_policy_only(run) == {2: True}

"""Checkpoints of a session that something ends between two saves."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, Never

import pytest
import torch

from tests.training.conftest import Checksum, Runs, Whole
from tvo_cli.checkpoint import checkpoint_folders
from tvo_cli.errors import UserError
from tvo_cli.parallel.rank_lost import RankLost
from tvo_cli.training import training_loop
from tvo_cli.training.resume import session_checkpoint
from tvo_cli.training.rollout_collection import collect_rollouts
from tvo_cli.training.session import Session
from tvo_cli.types import Problem, Rollout


@pytest.mark.slow
def test_a_prompt_that_is_found_too_long_in_the_middle_costs_no_step_done(
    run: Runs, whole: Whole, weights: Checksum, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample: Callable[..., Rollout] = collect_rollouts.sample_responses

    def refuse_third(session: Session, problems: Sequence[Problem], number: int = 0) -> Rollout:
        if session.counters.step == 2:
            raise UserError("rollout.max_tokens", 8, "the longest prompt has 1118 tokens.")
        return sample(session, problems, number)

    with monkeypatch.context() as patch, pytest.raises(UserError, match="1118 tokens"):
        patch.setattr(collect_rollouts, "sample_responses", refuse_third)
        run("a")
    held = checkpoint_folders.list_checkpoints(run.root / "a" / "checkpoints")
    assert [folder.name for folder in held] == ["step-000002"]
    assert weights(run("a")) == weights(whole()), "and it goes on as if nothing had been"


def out_of_memory_once_two_steps_are_done(call: Callable[..., Any]) -> Callable[..., Any]:
    """`call`, whose first argument is the session, until the GPU has no room for it."""

    def limited(session: Session, *rest: Any, **options: Any) -> Any:
        if session.counters.step == 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return call(session, *rest, **options)

    return limited


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "name"),
    [(collect_rollouts, "sample_responses"), (training_loop, "assemble_batch"), (training_loop, "_evaluate")],
)
def test_out_of_memory_outside_of_an_update_costs_no_step_done(
    place: ModuleType,
    name: str,
    *,
    run: Runs,
    whole: Whole,
    weights: Checksum,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch, pytest.raises(UserError, match=r"rollout\.cache_gb=4: the GPU .* goes on"):
        patch.setattr(place, name, out_of_memory_once_two_steps_are_done(getattr(place, name)))
        run("a")
    held = checkpoint_folders.list_checkpoints(run.root / "a" / "checkpoints")
    assert [folder.name for folder in held] == ["step-000002"]
    assert weights(run("a", "rollout.cache_gb=1")) == weights(whole()), "and it goes on as if nothing had been"


@pytest.mark.parametrize("at_start", [True, False])
def test_out_of_memory_in_the_first_and_last_evaluation_names_what_to_lower(
    run: Runs, monkeypatch: pytest.MonkeyPatch, *, at_start: bool
) -> None:
    words = (
        *("algorithm=grpo", "rollout.epochs=1", "trainer.steps=1", "evaluation=quick", "evaluation.problems=4"),
        f"evaluation.at_start={str(at_start).lower()}",
    )
    with (
        monkeypatch.context() as patch,
        pytest.raises(UserError, match=r"rollout\.cache_gb=4: the GPU is out of memory"),
    ):
        patch.setattr(training_loop, "evaluate_test_sets", _out_of_memory)
        run("a", *words)
    held = checkpoint_folders.list_checkpoints(run.root / "a" / "checkpoints")
    assert [folder.name for folder in held] == ([] if at_start else ["step-000001"])
    assert '"steps": 1' in (run("a", *words) / "summary.json").read_text()


def _out_of_memory(*given: object) -> Never:
    raise torch.OutOfMemoryError("CUDA out of memory.")


@pytest.mark.slow
def test_a_rank_that_is_lost_while_a_checkpoint_is_written_ends_the_run(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []

    def lose(session: Session) -> None:
        steps.append(session.counters.step)
        raise RankLost(1, "was killed.")

    monkeypatch.setattr(session_checkpoint, "save_session", lose)
    with pytest.raises(RankLost):
        whole("trainer.checkpoint_every=1", "seed=77")
    assert steps == [1]


@pytest.mark.slow
def test_fewer_steps_than_a_run_has_are_said_and_take_nothing_back(
    whole: Whole, run: Runs, weights: Checksum, caplog: pytest.LogCaptureFixture
) -> None:
    words = ("algorithm=grpo", "rollout.epochs=1", "trainer.steps=2", "trainer.checkpoint_every=1")
    before = shutil.copytree(whole(*words), run.root / "a")
    held, rows = weights(before, 2), (before / "metrics.jsonl").read_text()
    run("a", *words[:2], "trainer.steps=1", words[3])
    assert "trainer.steps=1: the run has 2 steps already; nothing is learnt" in caplog.text
    assert weights(before, 2) == held
    assert (before / "metrics.jsonl").read_text() == rows

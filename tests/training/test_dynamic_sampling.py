"""DAPO's sampling in whole runs: what is kept, what it costs, where it ends, and that it says so."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tests.training.conftest import MetricRows, Runs
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.rollout_collection import collect_rollouts
from tvo_cli.training.rollout_collection.grade_responses import grade_responses
from tvo_cli.training.session import Session
from tvo_cli.types import Problem, Rollout, Verdict

from .conftest import trained_policy

DAPO = ("algorithm=dapo", "reward.length.weight=0", "rollout.epochs=1")


def judged(monkeypatch: pytest.MonkeyPatch, right: Callable[[int], bool]) -> None:
    """Let `right(row)` decide which responses of a draw are correct; rewards differ inside every group."""
    grade = grade_responses

    def judge(
        session: Session, problems: Sequence[Problem], rollout: Rollout
    ) -> tuple[tuple[Verdict, ...], list[float]]:
        verdicts, _ = grade(session, problems, rollout)
        found = tuple(replace(verdict, correct=right(row)) for row, verdict in enumerate(verdicts))
        return found, [float(verdict.correct) - 0.09 * row for row, verdict in enumerate(found)]

    monkeypatch.setattr(collect_rollouts, "grade_responses", judge)


@pytest.mark.slow
def test_it_learns_from_mixed_groups_and_counts_all_it_sampled(
    run: Runs, steps: MetricRows, batches: list[RolloutBatch]
) -> None:
    rows = steps(run("a", *DAPO))
    assert max(row["sampling/draws"] for row in rows) > 1
    rollouts = 0.0
    for row, batch in zip(rows, batches, strict=True):
        correct = [verdict.correct for verdict in batch.verdicts]
        assert all(one != other for one, other in zip(correct[::2], correct[1::2]))
        assert len({problem.id for problem in batch.problems}) == 8
        assert batch.experience.rewards.tolist() == [float(one) for one in correct]
        assert (row["sampling/generated"], row["sampling/used"]) == (16 * row["sampling/draws"], 16)
        rollouts += row["sampling/generated"]
        assert row["rollouts"] == rollouts
        everything = [verdict.correct for graded in batch.drawn.draws for verdict in graded.verdicts]
        assert row["accuracy/fresh"] == pytest.approx(sum(everything) / len(everything))
        assert row["group/zero_advantage"] == pytest.approx(1 - row["sampling/mixed"])


@pytest.mark.slow
def test_the_first_mixed_groups_are_taken_in_order_and_the_surplus_is_dropped(
    run: Runs, monkeypatch: pytest.MonkeyPatch, batches: list[RolloutBatch]
) -> None:
    """Three draws' worth at once (the released recipe's), every second prompt mixed: the first eight of twelve."""
    judged(monkeypatch, lambda row: row % 4 == 0)
    run("a", *DAPO, "algorithm.sampling.size=3", "trainer.steps=2")
    first, second = batches
    (draw,) = first.drawn.draws
    assert len(draw.problems) == 24 and first.drawn.fit == 12
    assert [problem.id for problem in first.problems] == [problem.id for problem in draw.problems[:16:2]]
    assert second.drawn.draws[0].problems[0] not in draw.problems


@pytest.mark.slow
def test_raw_accuracy_decides_and_not_the_shaped_reward(
    run: Runs, monkeypatch: pytest.MonkeyPatch, batches: list[RolloutBatch], steps: MetricRows
) -> None:
    """All right, every reward another: GRPO would learn from this, dynamic sampling finds nothing and ends."""
    judged(monkeypatch, lambda row: True)
    folder = run("a", *DAPO, "algorithm.sampling.most=3", "trainer.steps=3", "logger.console=off")
    rows = steps(folder)
    assert [row["sampling/draws"] for row in rows] == [3, 3, 3]
    assert [row["sampling/mixed"] for row in rows] == [0, 0, 0]
    assert [row["rollouts"] for row in rows] == [48, 96, 144]
    assert all((batch.advantage.values == 0).all() for batch in batches)
    assert all(row["reward/std"] > 0 for row in rows)
    log = (folder / "run.log").read_text()
    assert log.count("only 0 of 8 groups had right and wrong answers after 3 draws") == 1


@pytest.mark.slow
@pytest.mark.parametrize("right", [True, False])
def test_problems_that_are_all_right_or_all_wrong_for_ever_neither_loop_nor_move_the_policy(
    run: Runs, monkeypatch: pytest.MonkeyPatch, right: bool
) -> None:
    """Ten draws a batch and no more; rewards are all equal, so the weights stay where they were, bit for bit."""
    grade = grade_responses

    def judge(
        session: Session, problems: Sequence[Problem], rollout: Rollout
    ) -> tuple[tuple[Verdict, ...], list[float]]:
        found = tuple(replace(verdict, correct=right) for verdict in grade(session, problems, rollout)[0])
        return found, [float(right)] * len(found)

    monkeypatch.setattr(collect_rollouts, "grade_responses", judge)
    folder = run("a", *DAPO, "trainer.steps=2", "trainer.checkpoint_every=1", "trainer.keep=2")
    first, second = (trained_policy(folder, step) for step in (1, 2))
    assert all((first[name] == second[name]).all() for name in first)
    assert json.loads((folder / "summary.json").read_text())["rollouts"] == 2 * 10 * 16


@pytest.mark.slow
def test_the_note_comes_again_only_after_a_batch_that_was_full(run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws of batches: short, short, full, short."""
    asked: list[None] = []

    def right(row: int) -> bool:
        if row == 0:
            asked.append(None)
        return len(asked) in (3,) and row % 2 == 0

    judged(monkeypatch, right)
    folder = run("a", *DAPO, "algorithm.sampling.most=2", "trainer.steps=4", "logger.console=off")
    assert (folder / "run.log").read_text().count("groups had right and wrong answers") == 2


@pytest.mark.slow
def test_a_second_draw_of_a_step_is_another_sample_of_a_problem_that_comes_again(
    run: Runs, batches: list[RolloutBatch]
) -> None:
    """Eight problems in all: each draw of a step has the same ones, and must not have the same responses."""
    run("a", *DAPO, "trainer.steps=1", "dataset.limit=8", "algorithm.sampling.most=3")
    draws = batches[0].drawn.draws
    assert len(draws) > 1
    by_id = [dict(zip((p.id for p in d.problems), zip(d.rollout.texts[::2], d.rollout.texts[1::2]))) for d in draws]
    assert by_id[0].keys() == by_id[1].keys()
    assert by_id[0] != by_id[1]

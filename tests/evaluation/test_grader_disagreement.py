"""Audit mode: the second grader's verdicts in an evaluation, wherever they come in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.evaluation.conftest import Parrot, response, run
from tvo_cli.evaluation import grader_disagreement
from tvo_cli.evaluation.pipeline import regrade_folder

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from tvo_cli.rollout.engines.engine import Completion

REWARD = {"profile": "math", "unfinished": "graded", "audit": True, "deadline": 5.0}


class Boxless(Parrot):
    """Odd samples state the gold without a box: ours finds no answer, math-verify reads it."""

    def _say(self, key: str, sample: int) -> Completion:
        said = super()._say(key, sample)
        return said._replace(text=f"The answer is ${self.golds[key]}$.") if sample % 2 else said


def test_the_rate_is_of_what_both_judged() -> None:
    rows = [response(0, second=True), response(1, second=False), response(2, second=None)]
    rows += [response(3, correct=False, second=True), response(4, failed=True, second=False)]
    found = grader_disagreement.summarise_disagreement(rows, 0.95)
    assert found is not None
    assert (found["compared"], found["differing"], found["only_ours"]) == (3, 2, 1)
    assert found["rate"]["mean"] == pytest.approx(2 / 3)
    assert grader_disagreement.summarise_disagreement([response(0)], 0.95) is None


@pytest.mark.slow
def test_disagreements_are_counted_and_kept_to_be_read(
    asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path
) -> None:
    found = run(asked("grader.audit=true"), Boxless(golds))["suites"]["jsonl"]["audit"]
    assert (found["compared"], found["differing"], found["only_ours"]) == (24, 12, 0)
    kept = [json.loads(line) for line in (tmp_path / "run" / grader_disagreement.NAME).read_text().splitlines()]
    assert len(kept) == 12 and all(row["second"] and not row["correct"] for row in kept)
    assert "The answer is" in kept[0]["completion"]


def test_without_audit_no_second_grader_is_asked(
    asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path
) -> None:
    assert run(asked(), Boxless(golds))["suites"]["jsonl"]["audit"] is None
    assert not (tmp_path / "run" / grader_disagreement.NAME).exists()


@pytest.mark.slow
def test_a_finished_evaluation_is_audited_by_regrading_it(
    asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path
) -> None:
    run(asked(), Boxless(golds))
    found = regrade_folder(tmp_path / "run", REWARD, 0.95)
    assert found["changed"] == 0
    assert found["suites"]["jsonl"]["audit"]["differing"] == 12


@pytest.mark.slow
def test_asked_for_later_the_same_command_audits_what_is_there(
    asked: Callable[..., DictConfig], golds: dict[str, str]
) -> None:
    run(asked(), Boxless(golds))
    engine = Boxless(golds)
    found = run(asked("grader.audit=true"), engine)
    assert engine.asked == [] and found["suites"]["jsonl"]["audit"]["differing"] == 12

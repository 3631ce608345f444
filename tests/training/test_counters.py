"""What a step counts: of a refused batch neither the best accuracy nor the score."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tvo_cli.training.counters import RunCounters, advance_counters


@pytest.mark.parametrize(("refused", "best"), [(False, 0.9), (True, 0.5)])
def test_a_refused_batch_is_no_best_one(refused: bool, best: float) -> None:
    counters = RunCounters(step=3, best_accuracy=0.5, best_step=2)
    report = SimpleNamespace(skipped=0, norms=[1.0], skipped_last=0, nonfinite=0)
    drawn = SimpleNamespace(responses=8, tokens=40)
    work: Any = SimpleNamespace(
        report=report, refused=refused, replay_report=report, batch=SimpleNamespace(drawn=drawn)
    )
    session: Any = SimpleNamespace(counters=counters, limits=SimpleNamespace(scored_by_evaluation=False))
    advance_counters(session, work, {"accuracy/fresh": 0.9})
    assert (counters.best_accuracy, counters.best_step) == (best, 2 if refused else 4)
    assert counters.score == (None if refused else 0.9)

"""The test sets of a run: how their metrics, completions and scores are named."""

from __future__ import annotations

from typing import Any

from tvo_cli.evaluation.heldout_check import HeldoutEvaluation
from tvo_cli.evaluation.test_sets import OWN, EvaluatedTestSets
from tvo_cli.stats import ConfidenceInterval
from tvo_cli.tracking.metric_names import is_evaluation_metric, is_known_metric
from tvo_cli.tracking.terminal.console import ConsoleRunProgress

UNREAD: Any = None  # of a test that reads no response


def found(rate: float, *sources: str) -> HeldoutEvaluation:
    interval = ConfidenceInterval(rate, rate - 0.1, rate + 0.1, 2)
    return HeldoutEvaluation(
        accuracy=interval,
        any_correct=1.0,
        samples=4,
        problems=2,
        length=3.0,
        truncated=0.0,
        unanswered=0.0,
        grader_failed=0,
        records=({"id": "1"},),
        responses=UNREAD,
        sources={name: interval for name in sources},
    )


def test_a_named_test_set_carries_its_name_and_the_own_problems_none() -> None:
    both = EvaluatedTestSets({OWN: found(0.5, "easy", "hard"), "aime24": found(0.25)})
    metrics = both.metrics()
    assert (metrics["eval/pass@1"], metrics["eval/aime24/pass@1"]) == (0.5, 0.25)
    assert metrics["eval/aime24/pass@1_low"] == 0.15 and metrics["eval/hard/pass@1_high"] == 0.6
    assert set(metrics) == {
        *found(0.5, "easy", "hard").metrics(),
        *(name.replace("eval/", "eval/aime24/") for name in found(0.25).metrics()),
    }
    assert all(is_known_metric(name) and is_evaluation_metric(name) for name in metrics)


def test_the_score_is_that_of_one_test_set_where_it_was_asked() -> None:
    both = EvaluatedTestSets({OWN: found(0.5), "aime24": found(0.25)})
    assert (both.score(OWN), both.score("aime24")) == (0.5, 0.25)
    assert EvaluatedTestSets({"aime24": found(0.25)}).score(OWN) is None
    assert both.records == [{"id": "1"}, {"test_set": "aime24", "id": "1"}]


def test_the_console_names_every_test_set() -> None:
    progress = ConsoleRunProgress.__new__(ConsoleRunProgress)
    progress.add_evaluation(3, EvaluatedTestSets({OWN: found(0.5), "aime24": found(0.25)}).metrics())
    assert progress.evaluation == "pass@1 0.500 [0.400, 0.600], aime24 0.250 after step 3"
    progress.add_evaluation(4, EvaluatedTestSets({"aime24": found(0.25)}).metrics())
    assert progress.evaluation == "aime24 0.250 after step 4"

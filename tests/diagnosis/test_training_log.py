"""Values that no arithmetic bears: they are bounded at the door, so that no monitor stops somebody's training."""

from __future__ import annotations

import math

import pytest

from tvo_cli.diagnosis.diagnosis import diagnose
from tvo_cli.diagnosis.logs_to_diagnose import READ
from tvo_cli.diagnosis.render import html_page, json_format, markdown, terminal
from tvo_cli.diagnosis.stability_monitor import StabilityMonitor
from tvo_cli.diagnosis.training_log import LARGEST, RunFacts, TrainingLog, bounded_row


def test_a_row_is_bounded_and_stays_itself_where_it_is() -> None:
    row = {"step": 3, "reward/mean": 0.5, "loss/policy": -1e99}
    assert bounded_row(row) is row
    found = bounded_row({"step": 10**400, "a": 1e308, "b": -(10**400), "c": math.inf, "d": 0.5})
    assert found == {"step": 10**400, "a": LARGEST, "b": -LARGEST, "c": math.inf, "d": 0.5}
    assert math.isnan(bounded_row({"step": 1, "a": math.nan})["a"])


@pytest.mark.parametrize("values", [(1e308, -1e308), (1e308,), (0.4, 1e200), (5e-324, 0.5), (10**400, 0.1)])
def test_no_value_breaks_a_monitor_or_a_report(values: tuple[float, ...]) -> None:
    monitor = StabilityMonitor(planned=60, prompts=16, samples=8)
    for step in range(1, 61):
        monitor.log(step, {name: values[(step // 2) % len(values)] for name in READ})
    found = monitor.diagnosis()
    for report in (json_format.diagnoses_as_json, markdown.diagnoses_as_markdown, html_page.diagnoses_as_html):
        assert report([found])
    assert list(terminal.diagnosis_lines(found))


def test_a_score_below_zero_is_no_share_and_breaks_nothing() -> None:
    """As verl's val/test_score of a reward between −1 and 1."""
    rows = [{"step": step, "reward/mean": 0.1, "eval/pass@1": -0.5 - 0.02 * step} for step in range(1, 30)]
    assert "accuracy_collapse" not in {one.failure for one in diagnose(TrainingLog(RunFacts(), rows)).findings}


@pytest.mark.parametrize(("right", "found"), [(1.0, ["all_right"]), (0.5, [])])
def test_shares_of_groups_alone_tell_that_all_are_right(right: float, found: list[str]) -> None:
    """As prime-rl's solve_all and solve_none, without a reward."""
    rows = [{"step": step, "group/all_right": right, "group/all_wrong": 0.0} for step in range(1, 30)]
    assert [one.failure for one in diagnose(TrainingLog(RunFacts(), rows)).findings] == found

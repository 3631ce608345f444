"""The diagnosis of whole logs: verdicts, costs, remedies, what is over, what was not looked for."""

from __future__ import annotations

import math

import pytest

from tests.diagnosis.logs import Column, diagnosed, evaluations, line, log_of, noisy
from tvo_cli.diagnosis.diagnosis import diagnose, worst
from tvo_cli.diagnosis.examiner import Examiner
from tvo_cli.diagnosis.failures.accuracy_collapse import SignificantAccuracyFall
from tvo_cli.diagnosis.failures.reward_composition import TermBought
from tvo_cli.diagnosis.registry import BY_NAME, FAILURES
from tvo_cli.diagnosis.training_log import REFUSED, RunFacts
from tvo_cli.report.known_failure import FAILURES_OF_RULES

COLLAPSE = noisy([0.45] * 10 + [0.05] * 12, 0.02)


def test_a_collapse_is_critical_and_costs_what_was_spent_since() -> None:
    steps = range(1, 23)
    spent = {"rollouts": [128.0 * s for s in steps], "tokens": [2000.0 * s for s in steps], "time/step": [36.0] * 22}
    found = diagnosed({"accuracy/fresh": COLLAPSE, **spent}, planned=44)
    first = found.findings[0]
    assert (found.verdict, first.failure, first.first_step) == ("critical", "accuracy_collapse", 11)
    assert first.cost is not None
    assert (first.cost.steps, first.cost.rollouts, first.cost.tokens) == (12, 12 * 128, 24000)
    assert first.cost.hours == pytest.approx(0.12) and first.cost.share == pytest.approx(12 / 44)


def test_a_cost_is_a_share_of_the_steps_there_are_where_a_resume_asked_for_fewer() -> None:
    cost = diagnosed({"accuracy/fresh": COLLAPSE}, planned=15).findings[0].cost
    assert cost is not None and cost.share == pytest.approx(12 / 22)


def test_without_counters_the_cost_is_that_of_the_batches() -> None:
    cost = diagnosed({"accuracy/fresh": COLLAPSE, "response/length": [10.0] * 22}).findings[0].cost
    assert cost is not None and (cost.rollouts, cost.tokens, cost.hours) == (12 * 128, 12 * 1280, None)


def test_a_row_every_tenth_step_stands_for_ten() -> None:
    log = log_of({"accuracy/fresh": COLLAPSE, "time/step": [36.0] * 22}, every=10)
    cost = diagnose(log).findings[0].cost
    assert cost is not None and cost.steps == 111 and cost.hours == pytest.approx(1.11)


def test_a_solved_task_is_healthy_though_entropy_and_advantages_are_gone() -> None:
    accuracy = noisy(line(0.45, 0.96, 30) + [0.96] * 10, 0.01)
    found = diagnosed(
        {
            "accuracy/fresh": accuracy,
            "reward/mean": accuracy,
            "policy/entropy": line(0.6, 0.02, 40),
            "answer/entropy": line(1.2, 0.01, 40),
            "group/zero_advantage": line(0.3, 0.97, 40),
        }
    )
    assert (found.verdict, found.findings) == ("healthy", ())


def test_a_lost_start_is_no_task_that_is_too_hard() -> None:
    accuracy = [0.4, 0.1, *[0.0] * 18]
    found = diagnosed({"accuracy/fresh": accuracy, "group/zero_advantage": [0.3, 0.6, *[1.0] * 18]})
    assert "accuracy_collapse" in {one.failure for one in found.findings}
    assert "all_wrong" not in {one.failure for one in found.findings}


def test_all_right_at_once_is_no_learning_and_is_seen_in_five_steps() -> None:
    leap: list[float] = noisy([0.5] * 12) + [1.0] * 8
    found = diagnosed({"accuracy/fresh": leap, "group/zero_advantage": [0.3] * 12 + [1.0] * 8})
    assert [(one.failure, one.first_step, one.alarm_step) for one in found.findings] == [("all_right", 13, 17)]


def test_a_collapse_that_is_over_is_a_warning_and_a_warning_that_is_over_does_not_count() -> None:
    recovered = diagnosed({"accuracy/fresh": [0.4] * 10 + [0.0] * 8 + [0.4] * 40})
    assert recovered.verdict == "warning" and recovered.findings[0].was_critical
    spike = diagnosed({"gradient/norm": [0.4] * 10 + [40.0] + [0.4] * 20})
    assert spike.verdict == "healthy" and [one.failure for one in spike.findings] == ["gradient_spike"]


def test_missing_columns_switch_failures_off_and_that_is_said() -> None:
    found = diagnosed({"reward/mean": [0.1, 0.2, 0.3]})
    assert found.not_examined["entropy_collapse"] == ["policy/entropy"]
    assert "accuracy_collapse" not in found.not_examined


@pytest.mark.parametrize(
    ("columns", "verdict", "note"),
    [
        ({"reward/mean": [0.3]}, "unknown", "1 step only: no trend can be told"),
        ({"nothing/known": [0.3] * 9}, "unknown", ""),
        ({"reward/mean": [math.nan] * 9, "loss/policy": [math.nan] * 9}, "critical", ""),
    ],
)
def test_bad_logs_have_a_stated_reading(columns: dict[str, list[float]], verdict: str, note: str) -> None:
    found = diagnosed(dict(columns))
    assert found.verdict == verdict
    assert note in " ".join(found.notes)


def test_live_and_afterwards_are_one() -> None:
    log = log_of({"accuracy/fresh": COLLAPSE, "policy/tv": [0.02] * 9 + [0.2] * 13})
    examiner = Examiner(log.facts)
    told = [(step, one.failure, one.severity) for step, row in enumerate(log.rows, 1) for one in examiner.observe(row)]
    afterwards = diagnose(log).findings
    assert {(one.failure, one.severity) for one in afterwards} <= {(name, severity) for _, name, severity in told}
    assert min(step for step, name, _ in told if name == "policy_drift") == 11
    assert len(told) == len(set(told))  # told once, or once more when it becomes critical


def test_the_state_of_every_rule_comes_back() -> None:
    log = log_of({"accuracy/fresh": COLLAPSE, "reward/mean": COLLAPSE, "reward/brevity": line(0.0, 1.0, 22)})
    for failure in FAILURES:
        for first, second in zip(failure.rules(log.facts), failure.rules(log.facts), strict=True):
            for row in log.rows[:12]:
                first.check(int(row["step"]), row)
            second.load_state_dict(first.state_dict())
            for row in log.rows[12:]:
                assert first.check(int(row["step"]), row) == second.check(int(row["step"]), row)


def test_thresholds_can_be_set_for_a_calibration() -> None:
    strict = diagnose(log_of({"policy/tv": [0.06] * 9}), [BY_NAME["policy_drift"]], {"policy_drift": {"limit": 0.05}})
    assert strict.verdict == "warning" and diagnosed({"policy/tv": [0.06] * 9}).verdict == "healthy"


def test_names_that_other_rooms_use_are_names_of_failures() -> None:
    assert set(FAILURES_OF_RULES.values()) <= set(BY_NAME)
    assert worst(["healthy", "critical", "warning"]) == "critical"


def test_rules_over_rewards_below_zero_and_terms_keep_their_kind() -> None:
    fall = diagnosed({"reward/mean": noisy([-1.0] * 10 + line(-1.0, -0.2, 10) + [-3.0] * 10, 0.05)})
    assert fall.findings[0].failure == "accuracy_collapse"
    assert any(isinstance(rule, SignificantAccuracyFall) for rule in BY_NAME["accuracy_collapse"].rules(fall.log.facts))
    assert isinstance(BY_NAME["reward_composition"].rules(fall.log.facts)[0], TermBought)


def test_a_batch_whose_update_was_taken_back_is_not_held_against_the_run() -> None:
    """Every update ruins the policy and is refused; the batches between, of the restored policy, are healthy."""
    refused = [step % 2 == 0 for step in range(1, 22)]
    columns: dict[str, Column] = {
        "accuracy/fresh": [0.6, *(0.0 if one else 0.5 for one in refused[1:])],
        REFUSED: [float(sum(refused[: at + 1])) for at in range(21)],
    }
    found = diagnosed(columns).findings
    assert [one.failure for one in found] == ["sudden_fall"] and found[0].metric == REFUSED
    assert diagnosed({"accuracy/fresh": columns["accuracy/fresh"]}).verdict == "critical"


def test_an_evaluation_after_a_refused_batch_counts_and_a_log_may_begin_after_refusals() -> None:
    held = {step: 0.45 for step in range(1, 7)} | {step: 0.02 for step in range(7, 21)}
    columns: dict[str, Column] = {"eval/pass@1": evaluations(20, held), REFUSED: [float(step) for step in range(5, 25)]}
    assert "accuracy_collapse" in [one.failure for one in diagnosed(columns).findings]
    examiner = Examiner(RunFacts())
    examiner.observe({"step": 90, "accuracy/fresh": 0.5, REFUSED: 3.0})
    assert examiner.columns["accuracy/fresh"] == [0.5]

"""Failures by the columns that only some trainers log: a log that has each, and one that nearly has it."""

from __future__ import annotations

import math

import pytest

from tests.diagnosis.logs import Column, diagnosed, evaluations, found_in, line

CASES: dict[
    str, tuple[str, str, str, Column, Column]
] = {  # failure, severity, column, one that has it, one that nearly
    "masked tokens": ("clip_saturation", "warning", "policy/masked", [0.1] * 10 + [0.4] * 10, [0.2] * 20),
    "damped tokens": ("clip_saturation", "warning", "policy/damped", [0.2] * 10 + [0.7] * 10, [0.45] * 20),
    "KL of a batch": ("policy_drift", "warning", "policy/kl_old_k1", [0.01] * 5 + [0.2] * 5, [0.01, 0.2] * 5),
    "KL to the start": ("policy_drift", "warning", "policy/kl_ref", line(0.0, 3.0, 60), line(0.0, 1.9, 60)),
    "mismatch, probability": ("sampler_mismatch", "warning", "policy/mismatch_probability", [0.02] * 9, [0.008] * 9),
    "mismatch, KL": ("sampler_mismatch", "warning", "policy/mismatch_kl", [0.2] * 9, [0.08] * 9),
    "stale, probability": (
        *("stale_weights", "warning", "policy/mismatch_probability"),
        *(line(5e-4, 0.06, 30), line(5e-4, 3.5e-3, 30)),
    ),
    "stale, KL": ("stale_weights", "warning", "policy/mismatch_kl", line(0.002, 0.4, 30), line(0.002, 0.035, 30)),
    "lag": ("stale_weights", "warning", "policy/staleness", [1.0] * 5 + [12.0] * 5, [8.0] * 10),
    "steps taken back": (
        *("sudden_fall", "warning", "stability/refused"),
        *([0.0] * 10 + line(1.0, 8.0, 8) + [8.0] * 12, [0.0] * 10 + [float(at // 5) for at in range(5, 25)]),
    ),
    "reward alone": ("accuracy_collapse", "critical", "reward/mean", [0.6] * 20 + [0.1] * 10, [0.6] * 20 + [0.5] * 10),
    "held out, half": (
        *("accuracy_collapse", "critical", "eval/pass@1"),
        *(evaluations(30, {1: 0.4, 10: 0.8, 20: 0.3}), evaluations(30, {1: 0.4, 10: 0.8, 20: 0.75})),
    ),
    "held out, a quarter": (
        *("accuracy_collapse", "warning", "eval/pass@1"),
        *(evaluations(30, {1: 0.4, 10: 0.9, 20: 0.6}), evaluations(30, {1: 0.4, 10: 0.9, 20: 0.78})),
    ),
    "cut for long": (
        *("truncation", "warning", "response/truncated"),
        *([0.05] * 5 + [0.35] * 12, [0.05] * 5 + [0.35] * 8 + [0.1] * 4),
    ),
    "prime-rl's groups": ("all_wrong", "critical", "group/all_wrong", [1.0] * 30, [0.9] * 30),
}


def columns(name: str, column: Column) -> dict[str, Column]:
    """The column, and beside it what every log of that kind has."""
    beside: dict[str, Column] = {"group/all_right": [0.0] * 30} if name == "group/all_wrong" else {}
    return {name: column, **beside}


@pytest.mark.parametrize("case", CASES)
def test_it_is_found_by_that_column_alone_and_what_is_near_is_not(case: str) -> None:
    failure, severity, name, has, nearly = CASES[case]
    found = found_in(failure, columns(name, has))
    assert found is not None and (found.severity, found.metric) == (severity, _metric_of(name))
    assert found_in(failure, columns(name, nearly)) is None


def _metric_of(name: str) -> str:
    """Shares of groups are told as one."""
    return "group/zero_advantage" if name.startswith("group/") else name


def test_the_kl_of_a_batch_counts_only_where_no_total_variation_is_logged() -> None:
    both: dict[str, Column] = {"policy/kl_old_k1": [0.2] * 9, "policy/tv": [0.02] * 9}
    assert found_in("policy_drift", both) is None and found_in("policy_drift", {"policy/kl_old_k1": [0.2] * 9})


def test_a_held_out_score_that_is_not_finite_is_a_warning_and_the_end_of_its_interval_is_not() -> None:
    steps: dict[str, Column] = {"reward/mean": [0.5] * 60, "eval/pass@1": evaluations(60, {30: 0.5, 60: math.nan})}
    found = found_in("nonfinite", steps)
    assert found is not None and (found.metric, found.first_step, found.severity) == ("eval/pass@1", 60, "warning")
    assert diagnosed(steps).verdict == "warning"
    one_problem: dict[str, Column] = {"reward/mean": [0.5] * 60, "eval/pass@1_low": evaluations(60, {60: math.nan})}
    assert found_in("nonfinite", one_problem) is None

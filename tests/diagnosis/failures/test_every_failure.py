"""Each failure on a log that has it, with its severity and its first step, and on one that nearly has it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from tests.diagnosis.logs import Column, evaluations, found_in, line, noisy
from tvo_cli.diagnosis.registry import FAILURES

Columns = dict[str, Column]
LEARNS = noisy(line(0.3, 0.6, 60))
FLAT = noisy([0.3] * 60)


class Case(NamedTuple):
    """A log that has a failure, since which steps and how severe; one that nearly has it; what is known of both."""

    has: Columns
    severity: str
    since: tuple[int, int]
    nearly: Columns
    facts: Mapping[str, Any] = MappingProxyType({})


def entropy_beside(accuracy: Column, end: float) -> Columns:
    """Entropy that falls exponentially to an end within 60 steps."""
    return {"policy/entropy": [0.6 * (end / 0.6) ** (at / 59) for at in range(60)], "accuracy/fresh": accuracy}


HELD_FLAT = evaluations(60, {1: 0.3, 20: 0.31, 40: 0.3, 60: 0.3})
HELD_FOLLOWS = evaluations(60, {1: 0.3, 20: 0.38, 40: 0.48, 60: 0.58})
BOUGHT = {"reward/mean": noisy(line(0.3, 0.8, 60)), "accuracy/fresh": FLAT}
PAID = {"reward/mean": noisy(line(0.3, 0.8, 60)), "accuracy/fresh": noisy(line(0.3, 0.7, 60), seed=1)}
SUM_RISES = {"reward/mean": noisy(line(0.5, 1.0, 60)), "reward/brevity": noisy(line(0.1, 0.8, 60))}
UNEQUAL = {"group/zero_advantage": [0.5] * 60}

CASES: dict[str, Case] = {
    "accuracy_collapse": Case(
        {"accuracy/fresh": noisy([0.45] * 20 + line(0.45, 0.1, 10) + [0.1] * 15)},
        "critical",
        (21, 29),
        {"accuracy/fresh": noisy([0.45] * 20 + line(0.45, 0.38, 10) + [0.38] * 15)},
    ),
    "all_right": Case(
        {"group/zero_advantage": [0.99] * 30, "accuracy/fresh": [0.995] * 30},  # a verifier that accepts everything
        "warning",
        (1, 1),
        {"group/zero_advantage": line(0.2, 0.99, 30), "accuracy/fresh": line(0.5, 0.99, 30)},  # learnt
    ),
    "all_wrong": Case(
        {"group/zero_advantage": [1.0] * 30, "accuracy/fresh": [0.0] * 30},
        "critical",
        (1, 1),
        {"group/zero_advantage": [0.9] * 30, "accuracy/fresh": [0.013] * 30},  # sparse: 1.6 groups of 16 teach
    ),
    "clip_saturation": Case(
        {"policy/clipped": [0.1] * 10 + [0.4] * 10}, "warning", (11, 13), {"policy/clipped": noisy([0.2] * 20, 0.02)}
    ),
    "entropy_blow_up": Case(
        {"policy/entropy": [0.6, *[1.5] * 9], "accuracy/fresh": [0.4, *[0.05] * 9]},
        "critical",
        (2, 2),
        {"policy/entropy": [0.6, *[1.5] * 9], "accuracy/fresh": [0.4] * 10},  # exploration at no cost
    ),
    "entropy_collapse": Case(entropy_beside(FLAT, 0.01), "critical", (15, 30), entropy_beside(FLAT, 0.45)),
    "format_bought": Case(
        {**BOUGHT, "grader/unanswered": line(0.6, 0.0, 60)},
        "warning",
        (8, 30),
        {**PAID, "grader/unanswered": line(0.6, 0.0, 60)},
    ),
    "gradient_noise": Case(
        {"gradient/noise_scale": [50_000.0] * 60, "accuracy/fresh": noisy([0.3] * 60, 0.02), **UNEQUAL},
        "warning",
        (1, 20),
        {"gradient/noise_scale": [50_000.0] * 60, "accuracy/fresh": noisy(line(0.3, 0.7, 60), 0.02), **UNEQUAL},
    ),
    "gradient_spike": Case(
        {"gradient/norm": [0.4] * 20 + [12.0] + [0.4] * 3},
        "warning",
        (21, 21),
        {"gradient/norm": [0.4] * 20 + [6.0] + [0.4] * 3},
    ),
    "length_bought": Case(
        {**BOUGHT, "response/length": line(20, 40, 60)},
        "critical",
        (20, 45),
        {**PAID, "response/length": line(20, 40, 60)},  # longer reasoning that pays
    ),
    "mode_collapse": Case(
        {"answer/entropy": [1.2] * 10 + [0.02] * 20, "accuracy/fresh": [0.3] * 30},
        "warning",
        (11, 24),
        {"answer/entropy": [1.2] * 10 + [0.02] * 20, "accuracy/fresh": [0.3] * 10 + [0.95] * 20},  # solved
    ),
    "no_gradient": Case(
        {"gradient/norm": [0.0] * 5, "accuracy/fresh": [0.4] * 5},
        "critical",
        (1, 1),
        {"gradient/norm": [0.0] * 5, "accuracy/fresh": [1.0] * 5},  # nothing to tell apart
        {"samples": 1},
    ),
    "nonfinite": Case(
        {"loss/policy": [0.1, math.nan, math.nan, math.nan]},
        "critical",
        (2, 2),
        {"loss/policy": [0.1, 1e30, -1e30, 0.1]},
    ),
    "plateau": Case(
        {"accuracy/fresh": noisy([0.3] * 200, 0.02)},
        "warning",
        (1, 150),
        {"accuracy/fresh": noisy(line(0.3, 0.4, 200), 0.02)},
    ),
    "policy_drift": Case(
        {"policy/tv": [0.02] * 5 + [0.12] * 5}, "warning", (6, 6), {"policy/tv": [0.02, 0.12, 0.02, 0.12, 0.06] * 2}
    ),
    "problems_used_up": Case(
        {"reward/mean": LEARNS, "eval/pass@1": HELD_FLAT, "data/epoch": line(0.1, 6.0, 60)},
        "warning",
        (2, 41),
        {"reward/mean": LEARNS, "eval/pass@1": HELD_FOLLOWS, "data/epoch": line(0.1, 6.0, 60)},
    ),
    "reward_composition": Case(
        {**SUM_RISES, "reward/solves": noisy(line(0.4, 0.1, 60))},
        "warning",
        (1, 60),
        {**SUM_RISES, "reward/solves": noisy([0.4] * 60)},
    ),
    "reward_hacking": Case(
        {"reward/mean": LEARNS, "eval/pass@1": HELD_FLAT},
        "warning",
        (2, 41),
        {"reward/mean": LEARNS, "eval/pass@1": HELD_FOLLOWS},
    ),
    "sampler_mismatch": Case(
        {"policy/mismatch": noisy([0.12] * 10, 0.01)}, "warning", (1, 1), {"policy/mismatch": noisy([0.03] * 10, 0.005)}
    ),
    "stale_weights": Case(
        {"policy/mismatch": line(0.002, 0.3, 30)}, "warning", (5, 7), {"policy/mismatch": line(0.002, 0.018, 30)}
    ),
    "step_rule_limit": Case(
        {"thermo/viscosity": [300.0] * 8, "policy/tv": [0.09] * 8, "thermo/set_point": [0.01] * 8},
        "warning",
        (1, 1),
        {"thermo/viscosity": [300.0] * 8, "policy/tv": [0.01] * 8, "thermo/set_point": [0.01] * 8},  # it holds the step
        {"settings": {"algorithm.step_rule.maximum": 256.0}},
    ),
    "sudden_fall": Case(
        {"accuracy/fresh": noisy([0.6] * 20 + [0.3] * 4)},
        "warning",
        (21, 21),
        {"accuracy/fresh": noisy([0.6] * 20 + [0.3] + [0.6] * 4)},  # one batch of bad luck
    ),
    "wrong_verdicts": Case(
        {"accuracy/fresh": noisy([0.88] * 60, 0.02), "eval/pass@1": evaluations(60, {20: 0.96, 40: 0.97, 60: 0.98})},
        "warning",
        (13, 53),
        {"accuracy/fresh": noisy([0.6] * 60, 0.02), "eval/pass@1": evaluations(60, {20: 0.7, 40: 0.72, 60: 0.71})},
    ),
    "truncation": Case(
        {"response/truncated": [0.1] * 5 + [0.7] * 5}, "warning", (6, 6), {"response/truncated": [0.6] * 10}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_log_that_has_it_is_named_since_its_first_step(name: str) -> None:
    case = CASES[name]
    found = found_in(name, case.has, **case.facts)
    assert found is not None
    assert (found.failure, found.severity) == (name, case.severity)
    assert case.since[0] <= found.first_step <= case.since[1]
    assert found.first_step <= found.alarm_step <= found.last_step
    assert found.message and all(remedy.text for remedy in found.remedies)


@pytest.mark.parametrize("name", CASES)
def test_a_log_that_nearly_has_it_is_not(name: str) -> None:
    case = CASES[name]
    assert found_in(name, case.nearly, **case.facts) is None


@pytest.mark.parametrize("name", CASES)
def test_a_trainer_that_logs_every_tenth_step_gets_the_same(name: str) -> None:
    case = CASES[name]
    once, tenth = (found_in(name, case.has, every=every, **case.facts) for every in (1, 10))
    assert once is not None and tenth is not None and found_in(name, case.nearly, every=10, **case.facts) is None
    assert (tenth.severity, tenth.alarm_step) == (once.severity, 10 * once.alarm_step)


@pytest.mark.parametrize(
    "end, severity, solved",
    [(1.2, None, None), (0.9, "warning", None), (0.25, "warning", None), (0.15, "critical", "warning")],
)
def test_neutral_words_are_lost_at_half_and_collapsed_at_a_tenth(
    end: float, severity: str | None, solved: str | None
) -> None:
    """Of a solved task that is told only when they are gone."""
    for accuracy, expected in (([0.4] * 30, severity), ([0.95] * 30, solved), ([0.95] * 10 + [0.5] * 20, severity)):
        found = found_in("mode_collapse", {"neutral/entropy": [2.0] * 10 + [end] * 20, "accuracy/fresh": accuracy})
        assert (found and found.severity) == expected


def test_every_failure_has_a_case_and_a_source() -> None:
    assert set(CASES) == {failure.name for failure in FAILURES}
    assert all(failure.sources and failure.meaning.endswith(".") for failure in FAILURES)

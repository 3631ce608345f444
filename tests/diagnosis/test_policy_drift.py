"""A KL that grows fast is told unless the accuracy of those very batches shows that it cost nothing."""

from __future__ import annotations

import pytest

from tests.diagnosis.logs import Column, evaluations, found_in, noisy

KL = [0.1] * 20 + [0.5, 0.9, 1.3, 1.7] + [0.1] * 6
FELL = evaluations(30, {10: 0.9, 20: 0.7})
STANDS = evaluations(30, {10: 0.9, 20: 0.9})


@pytest.mark.parametrize(
    ("beside", "alarm"),
    [
        ({"accuracy/fresh": noisy([0.95] * 30, 0.02)}, None),  # solved
        ({"accuracy/fresh": noisy([0.82] * 30, 0.02)}, None),  # held
        ({"accuracy/fresh": noisy([0.82] * 30, 0.02), "eval/pass@1": STANDS}, None),
        ({"accuracy/fresh": noisy([0.82] * 30, 0.02), "eval/pass@1": FELL}, 22),  # lost elsewhere
        ({"accuracy/fresh": [0.98] * 20 + [0.8, 0.76, 0.74] + [0.76] * 7}, 24),  # high, and fallen all the same
        ({"accuracy/fresh": noisy([0.95] * 20 + [0.6] * 10, 0.02)}, 23),  # it costs
        ({"accuracy/fresh": noisy([0.4] * 30, 0.02)}, 22),  # nothing is reached yet
        ({"reward/mean": noisy([0.95] * 30, 0.02)}, 22),  # what is rewarded need not be right
        ({}, 22),
    ],
)
def test_a_kl_that_grows_fast_counts_unless_accuracy_holds(beside: dict[str, Column], alarm: int | None) -> None:
    found = found_in("policy_drift", {"policy/kl_ref": KL, **beside})
    assert (found and (found.alarm_step, found.metric)) == (alarm and (alarm, "policy/kl_ref"))


def test_a_leap_of_one_batch_is_none() -> None:
    assert found_in("policy_drift", {"policy/kl_ref": [0.1] * 20 + [1.9] + [0.1] * 9}) is None


@pytest.mark.parametrize("column", [{"policy/tv": [0.02] * 10 + [0.12] * 5}, {"policy/kl_ref": [0.1] * 9 + [2.5] * 6}])
def test_how_large_a_step_is_and_how_far_it_has_gone_is_told_at_any_accuracy(column: dict[str, Column]) -> None:
    found = found_in("policy_drift", {**column, "accuracy/fresh": [0.95] * 15})
    assert found is not None and found.evidence["threshold"] in (0.08, 2.0)

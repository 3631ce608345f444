"""Groups of which most teach nothing while the run goes on, and what excuses them."""

from __future__ import annotations

import pytest

from tests.diagnosis.logs import Column, found_in, line, noisy

STEPS = 120
FACTS = {"prompts": 64, "samples": 8, "planned": STEPS}


def with_groups(equal: float, accuracy: Column) -> dict[str, Column]:
    """Such a share of groups that teach nothing, at such an accuracy."""
    return {"group/zero_advantage": noisy([equal] * STEPS, 0.02), "accuracy/fresh": accuracy}


@pytest.mark.parametrize(
    ("failure", "other", "level"), [("all_wrong", "all_right", 0.1), ("all_right", "all_wrong", 0.6)]
)
def test_three_quarters_that_teach_nothing_are_told_by_the_kind_that_prevails(
    failure: str, other: str, level: float
) -> None:
    log = with_groups(0.75, noisy([level] * STEPS, 0.01))
    found = found_in(failure, log, **FACTS)
    assert found is not None and found.severity == "warning" and found.first_step < 10
    assert "nothing is gained" in found.message and found_in(other, log, **FACTS) is None


@pytest.mark.parametrize(
    "log",
    [
        with_groups(0.55, noisy([0.1] * STEPS, 0.01)),  # nearly half of them teach
        with_groups(0.75, noisy(line(0.1, 0.4, STEPS), 0.01)),  # it learns
        with_groups(0.75, noisy([0.85] * STEPS, 0.01)),  # it holds what it has learnt
        with_groups(0.75, noisy([0.1] * STEPS, 0.2)),  # nobody can say
    ],
)
def test_what_is_no_waste(log: dict[str, Column]) -> None:
    assert found_in("all_wrong", log, **FACTS) is None and found_in("all_right", log, **FACTS) is None

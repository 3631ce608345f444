"""A spike of the gradient counts while there is something to lose, and not where the task is held."""

from __future__ import annotations

import pytest

from tests.diagnosis.logs import Column, found_in, line, noisy

NORMS = [0.4] * 30 + [12.0] + [0.4] * 9


@pytest.mark.parametrize(
    ("accuracy", "counts"),
    [
        ([0.93] * 40, False),  # solved
        ([0.8] * 40, False),  # held
        ([0.95] * 20 + [0.6] * 20, True),  # fallen
        (line(0.2, 0.6, 40), True),  # on its way
    ],
)
def test_a_spike_counts_where_there_is_something_to_lose(accuracy: list[float], counts: bool) -> None:
    found = found_in("gradient_spike", {"gradient/norm": NORMS, "accuracy/fresh": noisy(accuracy, 0.02)})
    assert (found is not None) is counts


@pytest.mark.parametrize(("clip", "counts"), [(None, True), (1.0, False), (10.0, True)])
def test_a_spike_that_the_clip_cuts_down_to_the_usual_is_none(clip: float | None, counts: bool) -> None:
    columns: dict[str, Column] = {"gradient/norm": NORMS, "accuracy/fresh": noisy(line(0.2, 0.6, 40), 0.02)}
    found = found_in("gradient_spike", columns, settings={"optimizer.clip_norm": clip})
    assert (found is not None) is counts
    assert found is None or found.evidence["value"] == min(12.0, clip or 12.0)

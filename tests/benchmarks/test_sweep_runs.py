"""Comparisons made of sweeps: what they have in common."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from benchmarks import any_rate, second_edition_real
from benchmarks.harness.settings import of_measurement
from benchmarks.real_model import benchmark as real_model
from benchmarks.second_edition import benchmark as second_edition
from benchmarks.sweeps.runs import SweepSettings, cells_of_runs
from benchmarks.zoo import benchmark as zoo

COMPARISONS = (any_rate, real_model, second_edition, second_edition_real, zoo)
CHOSEN = [one.BENCHMARK.settings for one in COMPARISONS]
EACH = pytest.mark.parametrize("chosen", CHOSEN, ids=lambda one: one.__module__)


@EACH
def test_a_record_goes_on_from_another_folder(chosen: type[SweepSettings]) -> None:
    """Another machine has another, and nothing but the record."""
    here, there = (chosen(folder=Path(place)).model_dump(mode="json") for place in ("here", "there"))
    assert of_measurement(chosen, here) == of_measurement(chosen, there)
    rehearsal = chosen(folder=Path("there"), overrides=("trainer.steps=1",)).model_dump(mode="json")
    assert of_measurement(chosen, rehearsal) != of_measurement(chosen, here)


@EACH
def test_a_rehearsal_has_a_folder_of_its_own(chosen: type[SweepSettings]) -> None:
    with pytest.raises(ValidationError, match="--folder"):
        chosen(overrides=("model=tiny",))
    assert chosen(overrides=("model=tiny",), folder=Path("x")).folder == Path("x")


def test_the_cells_of_runs() -> None:
    """Finals 0.8 and 0.9: mean 0.85, ± 12.706·0.05 with one degree of freedom."""
    rows = [
        {"final": final, "area": area, "collapsed": final < 0.85, "falls": 2}
        for final, area in ((0.8, 0.5), (0.9, 0.7))
    ]
    assert cells_of_runs(rows, ("area",)) == ["0.850 [0.215, 1.485]", "0.600", "1 of 2", "4"]

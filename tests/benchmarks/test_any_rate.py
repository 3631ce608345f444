"""TVO at any rate: the sweeps that are counted, what is lost, and which runs stand beside the second edition's."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import any_rate
from benchmarks.any_rate import COOLER, ROW, SWEEPS, UNUSED, _against_second_edition, _lost
from benchmarks.sweeps.runs import peak
from benchmarks.sweeps.sweep import FRESH


def run_of(row: str, seed: int, final: float, *, sweep: str, lr: float = 1e-3) -> dict[str, Any]:
    return {"sweep": sweep, "row": row, "seed": seed, "lr": lr, "final": final, "collapsed": False, "falls": 0}


def test_a_sweep_counts_its_seeds_times_its_rates() -> None:
    assert [sweep.jobs for sweep in SWEEPS] == [50, 40, 40, 10, 40, 40, 50, 30, 20, *[20] * 8]
    assert not set(FRESH) & set(UNUSED)


def test_the_peak_is_a_mean_of_three_batches() -> None:
    assert peak([0.0, 0.9, 0.3, 0.3, 0.6]) == pytest.approx(0.5)
    assert peak([0.4, 0.6]) == pytest.approx(0.5), "of two batches their mean"


def test_a_run_is_lost_more_than_a_twentieth_below_its_peak() -> None:
    rows = [{"final": final, "peak": 0.9} for final in (0.84, 0.86, 0.95)]
    assert _lost(rows) == "1 of 3"


def test_seeds_that_the_second_edition_has_not_are_not_compared_with_it() -> None:
    """Of a task's own runs the two coolings on its seeds; at the rates of its grid."""
    here = [run_of(ROW, seed, 0.9, sweep=f"sparse: {ROW}") for seed in FRESH[:3]]
    here += [run_of(COOLER, seed, 0.1, sweep=f"sparse: {COOLER}") for seed in UNUSED[:3]]
    here += [run_of(ROW, seed, 0.1, sweep=f"sparse: {ROW}", lr=any_rate.OUTSIDE) for seed in FRESH[:3]]
    before = [run_of("grpo", seed, 0.5, sweep="sparse: grpo") for seed in FRESH[:3]]
    told = _against_second_edition("sparse", here, before)
    assert "grpo" in told and COOLER not in told and "0.100" not in told
    assert _against_second_edition("addition", here, before) == ""

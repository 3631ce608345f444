"""The choice of each arm's learning rate: its own best one, corrected for having been chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from statistics import fmean

from tvo_cli.comparison.analysis import run_values
from tvo_cli.comparison.analysis.arms_and_blocks import Arm, ArmAtRate
from tvo_cli.comparison.analysis.metric_choice import MetricChoice
from tvo_cli.runs.trial import UNKNOWN_SEED
from tvo_cli.stats.rate_selection import select_rate

CORRECTED, LEAVE_ONE_OUT, HALF, SAME = "corrected", "leave-one-out", "half", "same"
RATE_CHOICES = {
    CORRECTED: (
        "the rate that is best over all seeds, every seed scored there, less the optimism of choosing on the seeds "
        "that are scored: 0.4 of what the mean loses when one half of the seeds chooses and the other is scored, "
        "or of what as many tied rates would owe to chance, where that is less"
    ),
    LEAVE_ONE_OUT: (
        "each seed at the rate that is best over the other seeds; the scores then depend on each other and p is "
        "too small: up to 26% false alarms at nominal 5"
    ),
    HALF: "the second half of the seeds, at the rate that is best over the first half",
    SAME: "the rate that is best over the same seeds that are scored, which is optimistic where rates are close",
}

FinalValues = Mapping[float, Mapping[str, float]]  # rate → seed → final value


@dataclass(frozen=True, slots=True)
class ArmAtChosenRate:
    """An arm at its own best learning rate."""

    cell: ArmAtRate  # a trial a seed, each at the rate that was chosen for it
    rates: Mapping[str, float]  # by seed
    best: float | None  # over all seeds: what to run next
    optimistic: float  # the mean at `best`, selected and scored on the same seeds
    way: str  # a key of WAYS; empty for an arm of one rate
    correction: float = 0.0  # taken off every seed's value, in units of the metric; 0 unless `way` is CORRECTED

    def values(self, how: MetricChoice) -> dict[str, float]:
        """Final values by seed, corrected for the choice."""
        return {
            seed: value - self.correction for seed, value in run_values.final_values_by_seed(self.cell, how).items()
        }


def final_values_by_rate(arm: Arm, how: MetricChoice) -> dict[float, dict[str, float]]:
    """Return an arm's final values by learning rate and seed, of which its rate is chosen."""
    return {cell.rate: run_values.final_values_by_seed(cell, how) for cell in arm.cells if cell.rate is not None}


def choose_rate(arm: Arm, how: MetricChoice, way: str) -> ArmAtChosenRate:
    """Choose an arm's learning rate in the way `--choose-rate` names; a single rate is no choice."""
    found = {rate: row for rate, row in final_values_by_rate(arm, how).items() if row}
    if len(found) < 2:
        cells = [cell for cell in arm.cells if cell.rate in found] or list(arm.cells)
        only = cells[0]
        mean = fmean(found[only.rate].values()) if only.rate in found else math.nan
        return ArmAtChosenRate(only, {seed: only.rate or math.nan for seed in only.by_seed}, only.rate, mean, "")
    top = best_rate(found, how)
    seeds = sorted({seed for row in found.values() for seed in row}, key=lambda seed: (len(seed), seed))
    known = not any(seed.startswith(UNKNOWN_SEED) for seed in seeds)
    if len(seeds) < 2 or not known:
        way = SAME if way == SAME else CORRECTED  # a run of an unknown seed is at one rate only
    rates = _rate_of_each_seed(found, seeds, way, how)
    by_rate = {cell.rate: cell.by_seed for cell in arm.cells}
    trials = [by_rate[rate][seed] for seed, rate in rates.items() if seed in by_rate[rate]]
    correction = optimism_of_choice(found, how) if way == CORRECTED else 0.0
    return ArmAtChosenRate(
        ArmAtRate(arm.label, None, tuple(trials)), rates, top, fmean(found[top].values()), way, correction
    )


def optimism_of_choice(found: FinalValues, how: MetricChoice) -> float:
    """Return what to take off the values at the best rate for having chosen it on them."""
    sign = -1.0 if how.less else 1.0
    chosen = select_rate([[sign * value for value in seed] for seed in _values_by_seed_and_rate(found)])
    return sign * float(chosen.correction)


def _values_by_seed_and_rate(found: FinalValues) -> list[tuple[float, ...]]:
    """Return final values as [seeds, rates], nan where a seed has no value."""
    rows = [found[rate] for rate in sorted(found)]
    seeds = sorted({seed for row in rows for seed in row}, key=lambda seed: (len(seed), seed))
    if any(seed.startswith(UNKNOWN_SEED) for seed in seeds):
        return list(zip_longest(*(row.values() for row in rows), fillvalue=math.nan))
    return [tuple(row.get(seed, math.nan) for row in rows) for seed in seeds]


def _rate_of_each_seed(found: FinalValues, seeds: Sequence[str], way: str, how: MetricChoice) -> dict[str, float]:
    if way in (SAME, CORRECTED):
        return dict.fromkeys(seeds, best_rate(found, how))
    if way == HALF:
        half = len(seeds) // 2
        return dict.fromkeys(seeds[half:], best_rate(found, how, seeds[:half]))
    return {seed: best_rate(found, how, [other for other in seeds if other != seed]) for seed in seeds}


def best_rate(found: FinalValues, how: MetricChoice, seeds: Sequence[str] | None = None) -> float:
    """Return the learning rate of the best mean over the seeds; of equals the smaller one."""
    means = {}
    for rate, row in found.items():
        known = [value for seed, value in row.items() if seeds is None or seed in seeds]
        if known:
            means[rate] = fmean(known)
    top = how.best_of(means.values()) if means else math.nan
    return min((rate for rate in means if means[rate] == top), default=min(found))

"""The choice of each arm's learning rate: its own best one, corrected for having been chosen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from statistics import fmean

from tvo_cli.comparison.analysis import run_values
from tvo_cli.comparison.analysis.arms_and_blocks import Arm, ArmAtRate
from tvo_cli.comparison.analysis.metric_choice import MetricChoice
from tvo_cli.runs.trial import UNFINISHED, UNKNOWN_SEED
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

    cell: ArmAtRate  # a trial a seed, each at the rate that was chosen for it; those without a value too
    rates: Mapping[str, float]  # by seed
    best: float | None  # over all seeds: what to run next
    optimistic: float  # the mean at `best`, selected and scored on the same seeds
    way: str  # a key of WAYS; empty for an arm of one rate
    correction: float = 0.0  # taken off every seed's value, in units of the metric; 0 unless `way` is CORRECTED
    not_competing: Mapping[float, int] = field(default_factory=dict)  # rate → its seeds, too few to be chosen
    fullest: int = 0  # seeds with a value at the rate that has most of them
    waiting_elsewhere: int = 0  # unfinished runs at rates that are not in `cell`

    def values(self, how: MetricChoice) -> dict[str, float]:
        """Final values by seed, corrected for the choice."""
        return {
            seed: value - self.correction for seed, value in run_values.final_values_by_seed(self.cell, how).items()
        }


def final_values_by_rate(arm: Arm, how: MetricChoice) -> dict[float, dict[str, float]]:
    """Return an arm's final values by learning rate and seed, of which its rate is chosen."""
    return {cell.rate: run_values.final_values_by_seed(cell, how) for cell in arm.cells if cell.rate is not None}


def competing_rates(found: FinalValues) -> dict[float, Mapping[str, float]]:
    """Return the rates of enough seeds to be chosen: half of the fullest one's, and two where any has two.

    The best of several means is the one of few seeds too often, for it scatters most: eight rates of two seeds beside
    one of five make equal arms look different in 12% of all experiments, with this rule in 5% (docs/compare.md). The
    rule reads no value, so it costs no error rate.
    """
    fullest = max(map(len, found.values()), default=0)
    least = max((fullest + 1) // 2, min(fullest, 2))
    return {rate: row for rate, row in found.items() if len(row) >= least}


def choose_rate(arm: Arm, how: MetricChoice, way: str) -> ArmAtChosenRate:
    """Choose an arm's learning rate in the way `--choose-rate` names; a single rate is no choice."""
    measured = {rate: row for rate, row in final_values_by_rate(arm, how).items() if row}
    found = competing_rates(measured)
    chosen = _arm_at_only_rate(arm, found) if len(found) < 2 else _arm_at_best_rate(arm, found, how, way)
    return replace(
        chosen,
        not_competing={rate: len(row) for rate, row in measured.items() if rate not in found},
        fullest=max(map(len, measured.values()), default=0),
        waiting_elsewhere=_count_waiting_elsewhere(arm, chosen.cell),
    )


def _count_waiting_elsewhere(arm: Arm, cell: ArmAtRate) -> int:
    """How many unfinished runs of an arm, at a known rate, are not in the row of its own rate."""
    here = {id(trial) for trial in cell.trials}
    waiting = [trial for trial in arm.trials if trial.state == UNFINISHED and trial.rate is not None]
    return sum(id(trial) not in here for trial in waiting)


def _arm_at_only_rate(arm: Arm, found: FinalValues) -> ArmAtChosenRate:
    cells = [cell for cell in arm.cells if cell.rate in found] or list(arm.cells)
    only = cells[0]
    values = found.get(only.rate, {}).values() if only.rate is not None else ()
    mean = fmean(values) if values else math.nan
    return ArmAtChosenRate(only, {seed: only.rate or math.nan for seed in only.by_seed}, only.rate, mean, "")


def _arm_at_best_rate(arm: Arm, found: FinalValues, how: MetricChoice, way: str) -> ArmAtChosenRate:
    top = best_rate(found, how)
    seeds = sorted({seed for row in found.values() for seed in row}, key=_seed_order)
    known = not any(seed.startswith(UNKNOWN_SEED) for seed in seeds)
    if len(seeds) < 2 or not known:
        way = SAME if way == SAME else CORRECTED  # a run of an unknown seed is at one rate only
    valueless = {trial.seed for trial in arm.trials if trial.rate is not None}.difference(seeds)
    rates = _rate_of_each_seed(found, seeds, valueless, way, how)
    by_rate = {cell.rate: cell.by_seed for cell in arm.cells}
    trials = [by_rate[rates[seed]].get(seed) for seed in sorted(rates, key=_seed_order)]
    cell = ArmAtRate(arm.label, None, tuple(trial for trial in trials if trial is not None))
    correction = optimism_of_choice(found, how) if way == CORRECTED else 0.0
    return ArmAtChosenRate(cell, rates, top, fmean(found[top].values()), way, correction)


def _seed_order(seed: str) -> tuple[int, str]:
    return len(seed), seed


def optimism_of_choice(found: FinalValues, how: MetricChoice) -> float:
    """Return what to take off the values at the best rate for having chosen it on them."""
    sign = -1.0 if how.less else 1.0
    chosen = select_rate([[sign * value for value in seed] for seed in _values_by_seed_and_rate(found)])
    return sign * float(chosen.correction)


def _values_by_seed_and_rate(found: FinalValues) -> list[tuple[float, ...]]:
    """Return final values as [seeds, rates], nan where a seed has no value."""
    rows = [found[rate] for rate in sorted(found)]
    seeds = sorted({seed for row in rows for seed in row}, key=_seed_order)
    if any(seed.startswith(UNKNOWN_SEED) for seed in seeds):
        return list(zip_longest(*(row.values() for row in rows), fillvalue=math.nan))
    return [tuple(row.get(seed, math.nan) for row in rows) for seed in seeds]


def _rate_of_each_seed(
    found: FinalValues, seeds: Sequence[str], valueless: Iterable[str], way: str, how: MetricChoice
) -> dict[str, float]:
    """Return the rate at which each seed is shown; one that has a value at no rate is shown with the others."""
    if way == HALF:
        choosing, scored = seeds[: len(seeds) // 2], seeds[len(seeds) // 2 :]
        return dict.fromkeys((*scored, *valueless), _rate_for_scored_half(found, choosing, scored, how))
    rates = dict.fromkeys((*seeds, *valueless), best_rate(found, how))
    if way == LEAVE_ONE_OUT:
        rates |= {seed: best_rate(found, how, [other for other in seeds if other != seed]) for seed in seeds}
    return rates


def _rate_for_scored_half(
    found: FinalValues, choosing: Sequence[str], scored: Sequence[str], how: MetricChoice
) -> float:
    """Return the best rate over the seeds that choose, of those that the scored seeds were run at."""
    there = {rate: {seed: row[seed] for seed in scored if seed in row} for rate, row in found.items()}
    able = competing_rates({rate: row for rate, row in there.items() if row})
    return best_rate({rate: found[rate] for rate in able}, how, choosing)


def best_rate(found: FinalValues, how: MetricChoice, seeds: Sequence[str] | None = None) -> float:
    """Return the learning rate of the best mean over the seeds; of equals the smaller one."""
    means = {}
    for rate, row in found.items():
        known = [value for seed, value in row.items() if seeds is None or seed in seeds]
        if known:
            means[rate] = fmean(known)
    top = how.best_of(means.values()) if means else math.nan
    return min((rate for rate in means if means[rate] == top), default=min(found))

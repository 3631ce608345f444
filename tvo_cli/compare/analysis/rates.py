"""Learning rates: each arm at its own best one, corrected for having been chosen; and robustness over them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from statistics import fmean

from tvo_cli.compare import formatting
from tvo_cli.compare.analysis import measures
from tvo_cli.compare.analysis.arms import Arm, Cell
from tvo_cli.compare.analysis.measures import NONE, Reading
from tvo_cli.compare.runs.run_record import UNKNOWN_SEED
from tvo_cli.stats.confidence_interval import ConfidenceInterval
from tvo_cli.stats.rate_selection import select_rate
from tvo_cli.stats.rate_sweep import area_over_learning_rates

CORRECTED, LEAVE_ONE_OUT, HALF, SAME = "corrected", "leave-one-out", "half", "same"
WAYS = {
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

Grid = Mapping[float, Mapping[str, float]]  # rate → seed → final value


@dataclass(frozen=True, slots=True)
class Chosen:
    """An arm at its own best rate."""

    cell: Cell  # a trial a seed, each at the rate that was chosen for it
    rates: Mapping[str, float]  # by seed
    best: float | None  # over all seeds: what to run next
    optimistic: float  # the mean at `best`, selected and scored on the same seeds
    way: str  # a key of WAYS; empty for an arm of one rate
    correction: float = 0.0  # taken off every seed's value, in units of the metric; 0 unless `way` is CORRECTED

    def values(self, how: Reading) -> dict[str, float]:
        """Final values by seed, corrected for the choice."""
        return {seed: value - self.correction for seed, value in measures.values(self.cell, how).items()}


def grid(arm: Arm, how: Reading) -> dict[float, dict[str, float]]:
    """Final values by rate and seed."""
    return {cell.rate: measures.values(cell, how) for cell in arm.cells if cell.rate is not None}


def choose(arm: Arm, how: Reading, way: str) -> Chosen:
    """The arm at its best rate, chosen `way`; a single rate is no choice."""
    found = {rate: row for rate, row in grid(arm, how).items() if row}
    if len(found) < 2:
        cells = [cell for cell in arm.cells if cell.rate in found] or list(arm.cells)
        only = cells[0]
        mean = fmean(found[only.rate].values()) if only.rate in found else math.nan
        return Chosen(only, {seed: only.rate or math.nan for seed in only.by_seed}, only.rate, mean, "")
    top = best_rate(found, how)
    seeds = sorted({seed for row in found.values() for seed in row}, key=lambda seed: (len(seed), seed))
    known = not any(seed.startswith(UNKNOWN_SEED) for seed in seeds)
    if len(seeds) < 2 or not known:
        way = SAME if way == SAME else CORRECTED  # a run of an unknown seed is at one rate only
    rates = _by_seed(found, seeds, way, how)
    by_rate = {cell.rate: cell.by_seed for cell in arm.cells}
    trials = [by_rate[rate][seed] for seed, rate in rates.items() if seed in by_rate[rate]]
    correction = optimism(found, how) if way == CORRECTED else 0.0
    return Chosen(Cell(arm.label, None, tuple(trials)), rates, top, fmean(found[top].values()), way, correction)


def optimism(found: Grid, how: Reading) -> float:
    """What to take off the values at the best rate for having chosen it on them; below 0 where less is better."""
    sign = -1.0 if how.less else 1.0
    chosen = select_rate([[sign * value for value in seed] for seed in _by_seeds(found)])
    return sign * float(chosen.correction)


def _by_seeds(found: Grid) -> list[tuple[float, ...]]:
    """[seeds, rates], nan where a seed has no value; runs of unknown seeds fill the rows in their order."""
    rows = [found[rate] for rate in sorted(found)]
    seeds = sorted({seed for row in rows for seed in row}, key=lambda seed: (len(seed), seed))
    if any(seed.startswith(UNKNOWN_SEED) for seed in seeds):
        return list(zip_longest(*(row.values() for row in rows), fillvalue=math.nan))
    return [tuple(row.get(seed, math.nan) for row in rows) for seed in seeds]


def _by_seed(found: Grid, seeds: Sequence[str], way: str, how: Reading) -> dict[str, float]:
    if way in (SAME, CORRECTED):
        return dict.fromkeys(seeds, best_rate(found, how))
    if way == HALF:
        half = len(seeds) // 2
        return dict.fromkeys(seeds[half:], best_rate(found, how, seeds[:half]))
    return {seed: best_rate(found, how, [other for other in seeds if other != seed]) for seed in seeds}


def best_rate(found: Grid, how: Reading, seeds: Sequence[str] | None = None) -> float:
    """The rate of the best mean over the seeds; of equals the smaller one."""
    means = {}
    for rate, row in found.items():
        known = [value for seed, value in row.items() if seeds is None or seed in seeds]
        if known:
            means[rate] = fmean(known)
    top = how.best_of(means.values()) if means else math.nan
    return min((rate for rate in means if means[rate] == top), default=min(found))


@dataclass(frozen=True, slots=True)
class Robustness:
    """An arm over the learning rates that all arms of the block have."""

    rates: tuple[float, ...]
    area: ConfidenceInterval  # over seeds: the mean of the final value over log rate
    worst_mean: float  # the worst mean of a rate
    worst_rate: float
    worst_run: float
    areas: Mapping[str, float]  # by seed


def shared(arms: Sequence[Arm]) -> tuple[float, ...]:
    """The learning rates that every arm was run at."""
    common = set(arms[0].rates).intersection(*(arm.rates for arm in arms[1:])) if arms else set()
    return tuple(sorted(common))


def robustness(arm: Arm, rates: Sequence[float], how: Reading) -> Robustness | None:
    """Area and worst case over the given rates; None below two, or where a rate has no result."""
    found = grid(arm, how)
    rows = [found.get(rate, {}) for rate in rates]
    if len(rates) < 2 or not all(rows):
        return None
    whole = [seed for seed in rows[0] if all(seed in row for row in rows)]
    logs = [math.log(rate) for rate in rates]
    areas = {seed: area_over_learning_rates(logs, [row[seed] for row in rows]) for seed in whole}
    means = [fmean(row.values()) for row in rows]
    worst = means.index(how.worst_of(means))
    last = how.worst_of(value for row in rows for value in row.values())
    interval = measures.mean(list(areas.values()), how.confidence) if areas else NONE
    return Robustness(tuple(rates), interval, means[worst], rates[worst], last, areas)


def left_out(arms: Sequence[Arm], rates: Sequence[float], how: Reading) -> list[str]:
    """Arms and seeds that are in no area over these rates, and why."""
    told = []
    for arm in arms:
        found = grid(arm, how)
        empty = [rate for rate in rates if not found.get(rate)]
        if empty:
            told.append(
                f"not in the area: {arm.title}, which has no result at {', '.join(map(formatting.rate, empty))}"
            )
            continue
        for seed in dict.fromkeys(seed for rate in rates for seed in found[rate]):
            without = [formatting.rate(rate) for rate in rates if seed not in found[rate]]
            if without:
                told.append(f"not in the area: seed {seed} of {arm.title}, which has no result at {', '.join(without)}")
    return told


def over_rates(arms: Sequence[Arm], first: Arm) -> tuple[float, ...]:
    """The rates that robustness is read over: those of all arms, or the baseline's where all share fewer than two."""
    common = shared(arms)
    return common if len(common) > 1 else first.rates

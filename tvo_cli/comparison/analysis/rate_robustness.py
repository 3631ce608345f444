"""Robustness of an arm over learning rates: the area and the worst case over the rates that all arms share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from tvo_cli.comparison import formatting
from tvo_cli.comparison.analysis import run_values
from tvo_cli.comparison.analysis.arms_and_blocks import Arm
from tvo_cli.comparison.analysis.metric_choice import MetricChoice
from tvo_cli.comparison.analysis.rate_choice import final_values_by_rate
from tvo_cli.comparison.analysis.run_values import NO_INTERVAL
from tvo_cli.stats.confidence_interval import ConfidenceInterval
from tvo_cli.stats.rate_sweep import area_over_learning_rates


@dataclass(frozen=True, slots=True)
class RateRobustness:
    """The robustness of an arm over the learning rates that all arms of the block have."""

    rates: tuple[float, ...]
    area: ConfidenceInterval  # over seeds: the mean of the final value over log rate
    worst_mean: float  # the worst mean of a rate
    worst_rate: float
    worst_run: float
    areas: Mapping[str, float]  # by seed


def rates_for_robustness(arms: Sequence[Arm]) -> tuple[float, ...]:
    """Return the learning rates that every arm was run at."""
    common = set(arms[0].rates).intersection(*(arm.rates for arm in arms[1:])) if arms else set()
    return tuple(sorted(common))


def rate_robustness(arm: Arm, rates: Sequence[float], how: MetricChoice) -> RateRobustness | None:
    """Return area and worst case over the given rates; None below two, or where a rate has no result."""
    found = final_values_by_rate(arm, how)
    rows = [found.get(rate, {}) for rate in rates]
    if len(rates) < 2 or not all(rows):
        return None
    whole = [seed for seed in rows[0] if all(seed in row for row in rows)]
    logs = [math.log(rate) for rate in rates]
    areas = {seed: area_over_learning_rates(logs, [row[seed] for row in rows]) for seed in whole}
    means = [fmean(row.values()) for row in rows]
    worst = means.index(how.worst_of(means))
    last = how.worst_of(value for row in rows for value in row.values())
    interval = run_values.mean_of_known_values(list(areas.values()), how.confidence) if areas else NO_INTERVAL
    return RateRobustness(tuple(rates), interval, means[worst], rates[worst], last, areas)


def left_out_of_robustness(arms: Sequence[Arm], rates: Sequence[float], how: MetricChoice) -> list[str]:
    """Return which arms and seeds are in no area over these rates, and why."""
    told = []
    for arm in arms:
        found = final_values_by_rate(arm, how)
        empty = [rate for rate in rates if not found.get(rate)]
        if empty:
            told.append(
                f"not in the area: {arm.title}, which has no result at {', '.join(map(formatting.format_rate, empty))}"
            )
            continue
        for seed in dict.fromkeys(seed for rate in rates for seed in found[rate]):
            without = [formatting.format_rate(rate) for rate in rates if seed not in found[rate]]
            if without:
                told.append(f"not in the area: seed {seed} of {arm.title}, which has no result at {', '.join(without)}")
    return told


def rates_of_robustness(arms: Sequence[Arm], first: Arm) -> tuple[float, ...]:
    """Return the rates that robustness is read over: those of all arms, else the baseline's."""
    common = rates_for_robustness(arms)
    return common if len(common) > 1 else first.rates

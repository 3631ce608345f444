"""Contrast of two arms over seeds: the difference, its interval, Holm's p, and the seeds needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tvo_cli.comparison.analysis import run_values
from tvo_cli.comparison.analysis.arms_and_blocks import ArmAtRate
from tvo_cli.comparison.analysis.metric_choice import MetricChoice
from tvo_cli.runs.trial import UNFINISHED, UNKNOWN_SEED
from tvo_cli.stats import power, t_tests
from tvo_cli.stats.t_tests import Difference

NO_DIFFERENCE = Difference(math.nan, math.nan, math.nan, math.nan, 0, math.nan, "none")


@dataclass(frozen=True, slots=True)
class SeedContrast:
    """The difference of arm a and arm b over seeds."""

    a: ArmAtRate
    b: ArmAtRate
    over_seeds: Difference
    paired: bool
    unmatched: tuple[tuple[str, ...], tuple[str, ...]]  # seeds of each arm with a value and without a partner
    pending: tuple[int, int]  # runs of each arm that have no value yet
    values: tuple[tuple[float, ...], tuple[float, ...]]  # that were tested, in the order of the pairs
    needed: int | None = None  # seeds to separate a difference as large as this one, at the family's first threshold
    adjusted: float = math.nan  # Holm's p over the family
    family: int = 1
    confidence: float = 0.95
    shared: int = 0  # seeds in both arms that make no pairs, for they are too few
    # Unfinished runs of each arm at rates that are not its own, which may become it.
    elsewhere: tuple[int, int] = (0, 0)

    @property
    def separated(self) -> bool:
        """Whether the arms differ, at the family's error rate."""
        return self.adjusted < 1.0 - self.confidence + 1e-12

    @property
    def provisional(self) -> bool:
        """Whether a run that goes on may still change the difference."""
        return any((*self.pending, *self.elsewhere))


def contrast_final_values(a: ArmAtRate, b: ArmAtRate, how: MetricChoice) -> SeedContrast:
    """Contrast the final values of two arms at a rate each."""
    return contrast_by_seed(a, b, run_values.final_values_by_seed(a, how), run_values.final_values_by_seed(b, how), how)


def contrast_by_seed(
    a: ArmAtRate, b: ArmAtRate, first: Mapping[str, float], second: Mapping[str, float], how: MetricChoice
) -> SeedContrast:
    """Contrast values by seed: paired where `are_paired` says so, else Welch's over all."""
    common = [seed for seed in first if seed in second and not seed.startswith(UNKNOWN_SEED)]
    paired = are_paired(len(common), len(first), len(second))
    left = [first[seed] for seed in common] if paired else list(first.values())
    right = [second[seed] for seed in common] if paired else list(second.values())
    found = NO_DIFFERENCE
    if left and right:
        test = t_tests.paired_difference if paired else t_tests.welch_difference
        found = test(left, right, how.confidence)
    alone = (tuple(seed for seed in row if seed not in common) if paired else () for row in (first, second))
    unmatched = (next(alone), next(alone))
    tested = (tuple(left), tuple(right))
    return SeedContrast(
        a,
        b,
        found,
        paired,
        unmatched,
        (_count_unfinished_seeds(a), _count_unfinished_seeds(b)),
        tested,
        confidence=how.confidence,
        shared=0 if paired else len(common),
    )


def are_paired(common: int, first: int, second: int) -> bool:
    """Return whether so many seeds in both arms, of so many in each, are compared in pairs: from two and half on.

    Fewer pairs leave more runs out than pairing wins back: at 2 of 10 seeds and a difference of 1.2 standard deviations
    the paired test finds 8 to 23% (correlation of a seed's two runs 0 to 0.9), Welch's over all 71 to 74%, at 4 to 5%
    and 3% of false alarms (docs/compare.md). The rule reads no value, so it costs no error rate.
    """
    return common >= 2 and 2 * common >= max(first, second)


def _count_unfinished_seeds(cell: ArmAtRate) -> int:
    """How many seeds of an arm a contrast leaves out, for they have no result yet: its `pending`."""
    return sum(trial.state == UNFINISHED for trial in cell.trials)


def with_holm_over_family(contrasts: Sequence[SeedContrast]) -> list[SeedContrast]:
    """Return contrasts with Holm's p over all of them, and the seeds that its first threshold, 1 − α/m, would take."""
    adjusted = t_tests.holm_adjusted([one.over_seeds.p for one in contrasts])
    size = sum(not math.isnan(p) for p in adjusted)
    return [
        replace(one, adjusted=p, family=size, needed=_seeds_a_contrast_needs(one, max(size, 1)))
        for one, p in zip(contrasts, adjusted, strict=True)
    ]


def _seeds_a_contrast_needs(one: SeedContrast, size: int) -> int | None:
    return power.seeds_needed(*one.values, one.paired, 1.0 - (1.0 - one.confidence) / size)

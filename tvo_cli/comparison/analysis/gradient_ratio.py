"""The ratio of two arms' gradient variance, or of noise over signal, at matched steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from tvo_cli.comparison.analysis import run_values
from tvo_cli.comparison.analysis.arms_and_blocks import ArmAtRate
from tvo_cli.runs.trial import UNKNOWN_SEED, Trial
from tvo_cli.stats.confidence_interval import ConfidenceInterval
from tvo_cli.stats.log_scale import ratio_of_means_interval


@dataclass(frozen=True, slots=True)
class GradientRatio:
    """The ratio of a gradient reading of two arms at matched steps, a over b, paired by seed."""

    ratio: ConfidenceInterval
    steps: int  # matched, of all seeds together
    skipped: int  # steps, or whole seeds for noise over signal, at which one of the two was not above 0


def gradient_variance_ratio(a: ArmAtRate, b: ArmAtRate, name: str, confidence: float) -> GradientRatio | None:
    """Return the ratio of geometric means over the steps that both runs of a pair recorded; None without a pair."""
    left, right, steps, skipped = [], [], 0, 0
    for first, second in _trials_paired_by_seed(a, b):
        one, other = dict(zip(*first.run.curve(name))), dict(zip(*second.run.curve(name)))
        common = set(one) & set(other)
        usable = sorted(
            step for step in common if _is_positive_gradient(one[step]) and _is_positive_gradient(other[step])
        )
        skipped += len(common) - len(usable)
        if usable:
            steps += len(usable)
            left.append(math.exp(fmean(math.log(one[step]) for step in usable)))
            right.append(math.exp(fmean(math.log(other[step]) for step in usable)))
    return GradientRatio(ratio_of_means_interval(left, right, True, confidence), steps, skipped) if left else None


def noise_over_signal_ratio(
    a: ArmAtRate, b: ArmAtRate, variance: str, signal: str, confidence: float
) -> GradientRatio | None:
    """Σ variance / Σ signal of each run over the steps that both of a pair recorded: a ratio of sums, because one
    step's debiased signal may be negative. A pair whose summed signal is not above 0 is left out and counted."""
    left, right, steps, skipped = [], [], 0, 0
    for first, second in _trials_paired_by_seed(a, b):
        rows = [
            {row["step"]: row for row in run.steps if variance in row and signal in row}
            for run in (first.run, second.run)
        ]
        common = sorted(set(rows[0]) & set(rows[1]))
        noises = [_noise_over_signal([row[step] for step in common], variance, signal) for row in rows]
        if common and all(map(_is_positive_gradient, noises)):
            steps += len(common)
            left.append(noises[0])
            right.append(noises[1])
        else:
            skipped += bool(common)
    ratio = ratio_of_means_interval(left, right, True, confidence) if left else run_values.NO_INTERVAL
    return GradientRatio(ratio, steps, skipped) if left or skipped else None


def _noise_over_signal(rows: Sequence[Mapping[str, float]], variance: str, signal: str) -> float:
    """Return noise over signal of the gradient, summed over steps; nan where they show no signal."""
    known = [row for row in rows if math.isfinite(row[variance]) and math.isfinite(row[signal])]
    total = sum(row[signal] for row in known)
    return sum(row[variance] for row in known) / total if total > 0 else math.nan


def _trials_paired_by_seed(a: ArmAtRate, b: ArmAtRate) -> list[tuple[Trial, Trial]]:
    """Return the runs of two arms, paired by seed, for a ratio of their gradients."""
    known = (seed for seed in a.by_seed if seed in b.by_seed and not seed.startswith(UNKNOWN_SEED))
    return [(a.by_seed[seed], b.by_seed[seed]) for seed in known]


def _is_positive_gradient(value: float) -> bool:
    """Return whether a gradient reading is finite and above 0, so that it enters a ratio."""
    return math.isfinite(value) and value > 0

"""One arm against another: over seeds, over problems, and the ratio of their gradients' variance."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from statistics import fmean

from tvo_cli.compare.analysis import measures
from tvo_cli.compare.analysis.arms import Cell
from tvo_cli.compare.analysis.measures import Reading
from tvo_cli.compare.runs.run_record import FINISHED, UNFINISHED, UNKNOWN_SEED, Trial
from tvo_cli.stats import power, t_tests
from tvo_cli.stats.bootstrap import paired_clustered_bootstrap
from tvo_cli.stats.confidence_interval import ConfidenceInterval
from tvo_cli.stats.log_scale import ratio_of_means_interval
from tvo_cli.stats.t_tests import Difference

NO_DIFFERENCE = Difference(math.nan, math.nan, math.nan, math.nan, 0, math.nan, "none")


@dataclass(frozen=True, slots=True)
class Contrast:
    """Arm a minus arm b."""

    a: Cell
    b: Cell
    over_seeds: Difference
    paired: bool
    unmatched: tuple[tuple[str, ...], tuple[str, ...]]  # seeds of each arm with a value and without a partner
    pending: tuple[int, int]  # runs of each arm that have no value yet
    values: tuple[tuple[float, ...], tuple[float, ...]]  # that were tested, in the order of the pairs
    needed: int | None = None  # seeds to separate a difference as large as this one, at the family's first threshold
    adjusted: float = math.nan  # Holm's p over the family
    family: int = 1
    confidence: float = 0.95

    @property
    def separated(self) -> bool:
        """Whether the arms differ, at the family's error rate."""
        return self.adjusted < 1.0 - self.confidence + 1e-12


def contrast(a: Cell, b: Cell, how: Reading) -> Contrast:
    """The final values of two cells."""
    return paired_values(a, b, measures.values(a, how), measures.values(b, how), how)


def paired_values(a: Cell, b: Cell, first: Mapping[str, float], second: Mapping[str, float], how: Reading) -> Contrast:
    """Values by seed: paired where at least two seeds are in both, else Welch's over all."""
    common = [seed for seed in first if seed in second and not seed.startswith(UNKNOWN_SEED)]
    paired = len(common) >= 2
    left = [first[seed] for seed in common] if paired else list(first.values())
    right = [second[seed] for seed in common] if paired else list(second.values())
    found = NO_DIFFERENCE
    if left and right:
        test = t_tests.paired_difference if paired else t_tests.welch_difference
        found = test(left, right, how.confidence)
    alone = (tuple(seed for seed in row if seed not in common) if paired else () for row in (first, second))
    unmatched = (next(alone), next(alone))
    tested = (tuple(left), tuple(right))
    return Contrast(a, b, found, paired, unmatched, (_pending(a), _pending(b)), tested, confidence=how.confidence)


def _pending(cell: Cell) -> int:
    return sum(trial.state == UNFINISHED for trial in cell.trials)


def family(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """The same with Holm's p over all of them, and the seeds that its first threshold, 1 − α/m, would take."""
    adjusted = t_tests.holm_adjusted([one.over_seeds.p for one in contrasts])
    size = sum(not math.isnan(p) for p in adjusted)
    return [
        replace(one, adjusted=p, family=size, needed=_needed(one, max(size, 1)))
        for one, p in zip(contrasts, adjusted, strict=True)
    ]


def _needed(one: Contrast, size: int) -> int | None:
    return power.seeds_needed(*one.values, one.paired, 1.0 - (1.0 - one.confidence) / size)


# ---------------------------------------------------------------- over problems


@dataclass(frozen=True, slots=True)
class ByProblem:
    """The difference over problems, for these very policies: what other problems would say."""

    over_problems: Difference  # paired t of the problems' means
    bootstrap: Difference  # the same by a clustered bootstrap
    problems: int
    samples: int
    seeds: tuple[int, int]


def by_problem(a: Cell, b: Cell, how: Reading) -> ByProblem | str:
    """Each problem's mean over its samples and all seeds, paired; or why not."""
    if how.metric != "eval/pass@1":
        return f"problems are compared for eval/pass@1, not for {how.metric}"
    first, second = _scores(a), _scores(b)
    if not first or not second:
        return "not every finished run kept its last evaluation's responses"
    if set(first) != set(second):
        return "the arms were evaluated on different problems"
    order = sorted(first)
    left, right = [first[key] for key in order], [second[key] for key in order]
    means = [fmean(row) for row in left], [fmean(row) for row in right]
    seeds = (_finished(a), _finished(b))
    return ByProblem(
        t_tests.paired_difference(*means, how.confidence),
        paired_clustered_bootstrap(left, right, how.confidence),
        len(order),
        len(left[0]) // max(seeds[0], 1),
        seeds,
    )


def _finished(cell: Cell) -> int:
    return sum(trial.state == FINISHED for trial in cell.trials)


def _scores(cell: Cell) -> dict[str, list[float]]:
    """Every problem's scores over all finished runs; nothing when a run lacks them."""
    found: dict[str, list[float]] = {}
    for trial in cell.trials:
        if trial.state == FINISHED:
            rows = _responses(trial.run.folder, str(trial.settings.get("suite", "")))
            if not rows:
                return {}
            for key, scores in rows.items():
                found.setdefault(key, []).extend(scores)
    sizes = {len(scores) for scores in found.values()}
    return found if len(sizes) == 1 else {}


@lru_cache(maxsize=1024)
def _responses(folder: Path, suite: str) -> Mapping[str, list[float]]:
    path = _file(folder)
    found: dict[str, list[float]] = {}
    try:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path else ():
            row = json.loads(line)
            if (suite and row.get("suite") != suite) or row.get("decoding", "sampled") != "sampled":
                continue
            found.setdefault(str(row["id"]), []).append(float(row["correct"]))
    except (ValueError, KeyError, TypeError):
        return {}
    return found


def _file(folder: Path) -> Path | None:
    kept = sorted((folder / "responses").glob("evaluation-step-*.jsonl"))
    whole = folder / "responses.jsonl"
    return kept[-1] if kept else (whole if whole.is_file() else None)


# ---------------------------------------------------------------- gradients


@dataclass(frozen=True, slots=True)
class GradientRatio:
    """How a reading of two arms compares at matched steps, a over b, paired by seed."""

    ratio: ConfidenceInterval
    steps: int  # matched, of all seeds together
    skipped: int  # steps, or whole seeds for noise over signal, at which one of the two was not above 0


def variance_ratio(a: Cell, b: Cell, name: str, confidence: float) -> GradientRatio | None:
    """Geometric means over the steps that both runs of a pair recorded; None when there is no such pair."""
    left, right, steps, skipped = [], [], 0, 0
    for first, second in _pairs(a, b):
        one, other = dict(zip(*first.run.curve(name))), dict(zip(*second.run.curve(name)))
        common = set(one) & set(other)
        usable = sorted(step for step in common if _positive(one[step]) and _positive(other[step]))
        skipped += len(common) - len(usable)
        if usable:
            steps += len(usable)
            left.append(math.exp(fmean(math.log(one[step]) for step in usable)))
            right.append(math.exp(fmean(math.log(other[step]) for step in usable)))
    return GradientRatio(ratio_of_means_interval(left, right, True, confidence), steps, skipped) if left else None


def noise_ratio(a: Cell, b: Cell, variance: str, signal: str, confidence: float) -> GradientRatio | None:
    """Σ variance / Σ signal of each run over the steps that both of a pair recorded: a ratio of sums, because one
    step's debiased signal may be negative. A pair whose summed signal is not above 0 is left out and counted."""
    left, right, steps, skipped = [], [], 0, 0
    for first, second in _pairs(a, b):
        rows = [
            {row["step"]: row for row in run.steps if variance in row and signal in row}
            for run in (first.run, second.run)
        ]
        common = sorted(set(rows[0]) & set(rows[1]))
        noises = [_noise([row[step] for step in common], variance, signal) for row in rows]
        if common and all(map(_positive, noises)):
            steps += len(common)
            left.append(noises[0])
            right.append(noises[1])
        else:
            skipped += bool(common)
    ratio = ratio_of_means_interval(left, right, True, confidence) if left else measures.NONE
    return GradientRatio(ratio, steps, skipped) if left or skipped else None


def _noise(rows: Sequence[Mapping[str, float]], variance: str, signal: str) -> float:
    """nan where the steps together show no signal."""
    known = [row for row in rows if math.isfinite(row[variance]) and math.isfinite(row[signal])]
    total = sum(row[signal] for row in known)
    return sum(row[variance] for row in known) / total if total > 0 else math.nan


def _pairs(a: Cell, b: Cell) -> list[tuple[Trial, Trial]]:
    known = (seed for seed in a.by_seed if seed in b.by_seed and not seed.startswith(UNKNOWN_SEED))
    return [(a.by_seed[seed], b.by_seed[seed]) for seed in known]


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0

"""What is read off one run, and off the runs of a cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from tvo_cli.compare.analysis.arms import Cell
from tvo_cli.compare.formatting import count, is_less_better, is_share, listed
from tvo_cli.compare.runs.run_record import FAILED, FINISHED, Trial
from tvo_cli.errors import UserError
from tvo_cli.stats.confidence_interval import ConfidenceInterval, mean_interval, wilson_interval
from tvo_cli.stats.sample_efficiency import ThresholdCrossing, first_threshold_crossing
from tvo_cli.stats.survival import SurvivalCurve, kaplan_meier

CHOICES = ("eval/pass@1", "accuracy/fresh", "reward/mean")
PASS, FRESH = "eval/pass@1", "accuracy/fresh"
WINDOW = 5  # steps that a reading of noisy training metrics is averaged over
NONE = ConfidenceInterval(math.nan, math.nan, math.nan, 0)


@dataclass(frozen=True, slots=True)
class Reading:
    """What is compared, and what a failed run counts for."""

    metric: str
    failed: str = "auto"  # a number, `last`, `out`; auto: 0 for a share, last for the rest
    confidence: float = 0.95

    @property
    def share(self) -> bool:
        """Whether the metric is a share."""
        return is_share(self.metric)

    @property
    def less(self) -> bool:
        """Whether less is better."""
        return is_less_better(self.metric)

    @property
    def failed_as(self) -> str:
        """A number as text, `last` or `out`."""
        worst = "1" if self.less else "0"
        return (worst if self.share else "last") if self.failed == "auto" else self.failed

    def best_of(self, values: Iterable[float]) -> float:
        """The best of some values."""
        return min(values) if self.less else max(values)

    def worst_of(self, values: Iterable[float]) -> float:
        """The worst of some values."""
        return max(values) if self.less else min(values)

    @property
    def evaluated(self) -> bool:
        """Whether the metric is an evaluation's, not averaged over steps."""
        return "eval/" in self.metric

    def rule(self) -> str:
        """How a failed and an unfinished run enter, in a sentence."""
        kinds = {"last": "with its last reading", "out": "in no mean (--failed out)"}
        failed = kinds.get(self.failed_as, f"as {self.failed_as} in every mean")
        how = "the last evaluation" if self.evaluated else f"the mean of the last {WINDOW} steps"
        return f"Final: {how}. A failed run counts {failed}; an unfinished one has no final value yet and is listed."


def checked(failed: str) -> str:
    """`--failed` as it may be; UserError for anything else."""
    if failed not in ("auto", "last", "out"):
        try:
            if not math.isfinite(float(failed)):
                raise ValueError
        except ValueError as error:
            raise UserError("--failed", failed, "not a choice.", "auto, last, out, or a number.") from error
    return failed


def choose_metric(trials: Sequence[Trial], wanted: str | None) -> tuple[str, str]:
    """The metric to compare and a warning; the first of CHOICES that every finished run has."""
    finished = [trial for trial in trials if trial.state == FINISHED] or list(trials)
    if wanted is not None:
        _known(trials, wanted)
        return wanted, _without(finished, wanted)
    counts = {name: sum(trial.has(name) for trial in finished) for name in CHOICES}
    for name, found in counts.items():
        if found == len(finished):
            return name, "" if name == CHOICES[0] else f"Compared by {name}: {_lacking(finished, CHOICES[0])}."
    name = max(counts, key=lambda one: counts[one])
    if not counts[name] and finished[0].state == FINISHED:
        raise UserError("--metric", "", f"no run has {', '.join(CHOICES)}.", "Name one that they have: --metric NAME.")
    return name, _without(finished, name)


def _known(trials: Sequence[Trial], wanted: str) -> None:
    """UserError for a metric that no run has."""
    if any(trial.has(wanted) for trial in trials):
        return
    from tvo_cli.config import nearest

    known = {name for trial in trials for row in trial.run.steps[-1:] for name in row}
    known |= {name for trial in trials for row in trial.run.evaluations[-1:] for name in row}
    raise UserError("--metric", wanted, "no run has such a metric.", nearest(wanted, known - {"step"}))


def _without(finished: Sequence[Trial], metric: str) -> str:
    """What becomes of finished runs that have no finite value of the metric; nothing where all have one."""
    if all(trial.has(metric) for trial in finished):
        return ""
    return f"{_lacking(finished, metric)}: they count as failed in it."


def _lacking(finished: Sequence[Trial], metric: str) -> str:
    names = [trial.name for trial in finished if not trial.has(metric)]
    return f"{count(len(names), 'finished run')} without a finite {metric} ({listed(names, 4)})"


def final(trial: Trial, how: Reading) -> float | None:
    """The value a run ends with; a failed one's by the rule; None for a run that has none yet or is left out."""
    if trial.state == FINISHED:
        found = last(trial, how)
        return found if found is not None else _failed(trial, how)
    return _failed(trial, how) if trial.state == FAILED else None


def _failed(trial: Trial, how: Reading) -> float | None:
    if how.failed_as == "out":
        return None
    return last(trial, how) if how.failed_as == "last" else float(how.failed_as)


def last(trial: Trial, how: Reading) -> float | None:
    """The last reading: an evaluation's own, a step metric's mean over the last steps that are finite."""
    values = finite(trial.curve(how.metric)[1])
    if not values and how.evaluated:
        found = (trial.run.summary.get("evaluation") or {}) if trial.run.summary else {}
        value = found.get(how.metric) if hasattr(found, "get") else None
        return float(value) if isinstance(value, int | float) else None
    return fmean(values[-1:] if how.evaluated else values[-WINDOW:]) if values else None


def best(trial: Trial, how: Reading) -> float | None:
    """The best reading on the way, of the evaluations or of the running mean over WINDOW steps.

    Of pass@1 that was evaluated once only: the best running mean of the fresh accuracy.
    """
    values = finite(trial.curve(how.metric)[1])
    if how.metric == PASS and len(values) < 2:
        values = smoothed(trial.curve(FRESH)[1])
    elif not how.evaluated:
        values = smoothed(values)
    known = finite(values)
    return how.best_of(known) if known else None


def finite(values: Sequence[float]) -> list[float]:
    """The finite values."""
    return [value for value in values if math.isfinite(value)]


def smoothed(values: Sequence[float]) -> list[float]:
    """The mean of each value and the up to WINDOW − 1 finite ones before it; nan before WINDOW values were seen."""
    out = []
    for end in range(1, len(values) + 1):
        seen = finite(values[max(0, end - WINDOW) : end])
        out.append(fmean(seen) if seen and end >= min(WINDOW, len(values)) else math.nan)
    return out


# ---------------------------------------------------------------- of a cell


def values(cell: Cell, how: Reading) -> dict[str, float]:
    """Final values by seed, of the runs that have one."""
    found = {seed: final(trial, how) for seed, trial in cell.by_seed.items()}
    return {seed: value for seed, value in found.items() if value is not None}


def mean(found: Sequence[float | None], confidence: float) -> ConfidenceInterval:
    """The t interval over what is known; NONE of nothing."""
    known = finite([value for value in found if value is not None])
    return mean_interval(known, confidence) if known else NONE


class Collapses(NamedTuple):
    """How many of the watched runs collapsed, and when."""

    collapsed: int
    watched: int
    rate: ConfidenceInterval
    survival: SurvivalCurve | None  # over steps
    horizon: int  # the last step that any run was watched to


def collapses(trials: Sequence[Trial], confidence: float) -> Collapses:
    """A run is watched until it collapses or ends, however it ends; one that nobody watched is no evidence."""
    watched = [trial for trial in trials if trial.watched]
    if not watched:
        return Collapses(0, 0, NONE, None, 0)
    events = [trial.collapsed_at is not None for trial in watched]
    times = [trial.last_step if trial.collapsed_at is None else trial.collapsed_at for trial in watched]
    found = sum(events)
    horizon = max(trial.last_step for trial in watched)
    return Collapses(
        found,
        len(watched),
        wilson_interval(found, len(watched), confidence),
        kaplan_meier(times, events, confidence),
        horizon,
    )


def rollouts(trial: Trial) -> list[float]:
    """Responses sampled by each step; steps themselves when that was not recorded."""
    return [float(row.get("rollouts", row["step"])) for row in trial.run.steps]


def reached(trial: Trial, threshold: float) -> ThresholdCrossing:
    """Rollouts until the running mean of the fresh accuracy first stands at a threshold."""
    rows = [row for row in trial.run.steps if FRESH in row]
    xs = [float(row.get("rollouts", row["step"])) for row in rows]
    return first_threshold_crossing(xs, smoothed([float(row[FRESH]) for row in rows]), threshold)


def kept(trial: Trial, name: str) -> float | None:
    """The share of a first reading that is left at the end: the mean of the last steps over the first value."""
    known = finite(trial.run.curve(name)[1])
    return fmean(known[-WINDOW:]) / known[0] if len(known) > 1 and known[0] > 0 else None


def seconds(trial: Trial) -> float | None:
    """Seconds of all steps, which a resumed run's summary does not know; the summary's when steps have no time."""
    times = finite(trial.run.curve("time/step")[1])
    if times and len(times) == trial.last_step:
        return sum(times)
    told = trial.run.summary.get("seconds")
    return float(told) if isinstance(told, int | float) else None


def tokens(trial: Trial) -> float | None:
    """Response tokens sampled."""
    return trial.run.last("tokens")


def speed(trial: Trial) -> float | None:
    """Response tokens a second, over all steps."""
    took, made = seconds(trial), tokens(trial)
    return made / took if took and made else None


def over_steps(name: str) -> Callable[[Trial], float | None]:
    """A reading's mean over a run's steps."""

    def read(trial: Trial) -> float | None:
        known = finite(trial.run.curve(name)[1])
        return fmean(known) if known else None

    return read

"""Collapse rules of steps: Floor, Drop, Ceiling, LengthBand, Truncation, ZeroAdvantage, NonFinite, GradientBlowUp."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tvo_cli.stability.exponential_average import exponential_average, exponential_average_if_given, steps_of_average
from tvo_cli.stability.rule_interface import CollapseRule, LimitRule, RuleBreach, finite_metric
from tvo_cli.stability.solved_task import ExcusedRule
from tvo_cli.stability.step_accuracy import ACCURACY
from tvo_cli.stability.whole_log import WholeLog


@dataclass(kw_only=True)
class Floor(ExcusedRule):
    """A smoothed metric that must not sink below a share of its start, nor below an absolute floor.

    threshold = max(share · start, absolute), start the highest of the first `warmup` steps, the absolute
    floor only where the start lies above it. A low value is excused while the smoothed accuracy is at least
    `solved`, or within its error of it: a policy that knows the answer has little left to be uncertain of.
    solved > 1: never excused. With `held` it is excused too while the accuracy is at its best, from `held` on, or
    surely rises, and the held-out accuracy has not fallen: what was spent on that was not lost.
    Half of the way down, in logarithms, it is wary of the unsmoothed value already.
    """

    metric: str
    share: float
    absolute: float
    warmup: int
    smoothing: float
    first: list[float] = field(default_factory=list, init=False)
    smoothed: float | None = field(default=None, init=False)
    accuracy: float | None = field(default=None, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Below the threshold on a task that is not solved."""
        self.follow(metrics)
        self.accuracy = exponential_average_if_given(self.accuracy, finite_metric(metrics, ACCURACY), self.smoothing)
        value = finite_metric(metrics, self.metric)
        if value is None:
            return None
        self.smoothed = exponential_average_if_given(self.smoothed, value, self.smoothing)
        if len(self.first) < self.warmup:
            self.first.append(value)
            return None
        return self._below(value, self.smoothed or 0.0, max(self.first))

    def is_silent(self, log: WholeLog) -> bool:
        """Never below the threshold of its start."""
        first = log.column(self.metric)[: self.warmup]
        return not first or log.never_below(self.metric, self._threshold(max(first)))

    def _threshold(self, start: float) -> float:
        return max(self.share * start, self.absolute if start > self.absolute else 0.0)

    def _below(self, value: float, smoothed: float, start: float) -> RuleBreach | None:
        threshold = self._threshold(start)
        low, on_the_way = smoothed < threshold, value < math.sqrt(threshold * start)
        excused = (low or on_the_way) and self.is_excused()
        self.wary = on_the_way and not excused
        if not low or excused:
            return None
        over = steps_of_average(self.smoothing)
        return RuleBreach(self.metric, smoothed, threshold, f"has sunk from {start:.4g}", over)

    def is_excused(self) -> bool:
        """By the accuracy of the last few steps too."""
        return (self.accuracy is not None and self.accuracy >= self.solved) or super().is_excused()


@dataclass(kw_only=True)
class Drop(CollapseRule):
    """A smoothed metric that falls below a share of its own peak, once the peak is worth speaking of.

    Half of the way down, in logarithms, it is wary of the unsmoothed value already: smoothing lags, and a state
    from within the decline would be condemned as soon as it was restored.
    """

    metric: str
    share: float
    minimum_peak: float
    smoothing: float
    smoothed: float | None = field(default=None, init=False)
    peak: float = field(default=-math.inf, init=False)

    @property
    def waits_for(self) -> str:
        """It reads nothing else."""
        return self.metric

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Below share · peak."""
        value = finite_metric(metrics, self.metric)
        if value is None:
            return None
        self.smoothed = smoothed = exponential_average(self.smoothed, value, self.smoothing)
        self.peak = max(self.peak, smoothed)
        self.wary = self.peak >= self.minimum_peak and value < math.sqrt(self.share) * self.peak
        if self.peak < self.minimum_peak or smoothed >= self.share * self.peak:
            return None
        reason = f"has fallen from a peak of {self.peak:.4g}"
        return RuleBreach(self.metric, smoothed, self.share * self.peak, reason, steps_of_average(self.smoothing))

    def state_dict(self) -> dict[str, Any]:
        """The peak is None before the first value: JSON knows no infinity."""
        return super().state_dict() | {"peak": None if math.isinf(self.peak) else self.peak}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore `state_dict`."""
        super().load_state_dict({**state, "peak": -math.inf if state["peak"] is None else state["peak"]})


@dataclass(kw_only=True)
class Ceiling(LimitRule):
    """A metric that must not rise above a limit: KL, total variation."""

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Above the limit."""
        value = finite_metric(metrics, self.metric)
        if value is None or value <= self.limit:
            return None
        return RuleBreach(self.metric, value, self.limit, "is too large")


@dataclass(kw_only=True)
class LengthBand(CollapseRule):
    """Responses that grow or shrink out of all proportion to the start without being more often right for it.

    Breached outside [shortest, longest] × start while the smoothed accuracy is not above that of the start:
    long reasoning that pays, and rambling unlearnt, are both healthy.
    """

    metric: str
    shortest: float
    longest: float
    warmup: int
    smoothing: float
    first: list[float] = field(default_factory=list, init=False)
    first_accuracy: list[float] = field(default_factory=list, init=False)
    smoothed: float | None = field(default=None, init=False)
    accuracy: float | None = field(default=None, init=False)

    @property
    def waits_for(self) -> str:
        """Without it nothing is read."""
        return self.metric

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Out of the band without a gain."""
        value, accuracy = finite_metric(metrics, self.metric), finite_metric(metrics, ACCURACY)
        if value is None or accuracy is None:
            return None
        self.smoothed = exponential_average(self.smoothed, value, self.smoothing)
        self.accuracy = exponential_average(self.accuracy, accuracy, self.smoothing)
        if len(self.first) < self.warmup:
            self.first.append(value)
            self.first_accuracy.append(accuracy)
            return None
        return self._outside(self.smoothed, self.accuracy)

    def _outside(self, length: float, accuracy: float) -> RuleBreach | None:
        if accuracy > statistics.fmean(self.first_accuracy):
            return None
        start = statistics.fmean(self.first)
        low, high = self.shortest * start, self.longest * start
        if low <= length <= high:
            return None
        verb, threshold = ("exploded", high) if length > high else ("shrunk", low)
        reason = f"has {verb} from {start:.4g} without a gain"
        return RuleBreach(self.metric, length, threshold, reason, steps_of_average(self.smoothing))


@dataclass(kw_only=True)
class Truncation(LimitRule):
    """The share of responses cut by the length limit: above a limit, and above what the run began with by `rise`."""

    rise: float
    warmup: int
    first: list[float] = field(default_factory=list, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Above both lines."""
        value = finite_metric(metrics, self.metric)
        if value is None:
            return None
        if len(self.first) < self.warmup:
            self.first.append(value)
            return None
        if value <= self.limit:
            return None
        threshold = max(self.limit, statistics.fmean(self.first) + self.rise)
        return RuleBreach(self.metric, value, threshold, "responses do not end") if value > threshold else None


@dataclass(kw_only=True)
class ZeroAdvantage(CollapseRule):
    """No group tells right from wrong: nothing is learnt. Excused when that is because the data is solved."""

    metric: str
    share: float
    solved: float

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Saturated at an accuracy below `solved`."""
        value, accuracy = finite_metric(metrics, self.metric), finite_metric(metrics, ACCURACY)
        if value is None or value < self.share or (accuracy is not None and accuracy >= self.solved):
            return None
        at = "" if accuracy is None else f" at an accuracy of {accuracy:.3g}"
        return RuleBreach(
            self.metric, value, self.share, f"all groups have equal rewards{at}, and the task is not solved"
        )


@dataclass(kw_only=True)
class NonFinite(CollapseRule):
    """A loss or gradient that is not finite, or an update that was skipped because of one."""

    prefixes: Sequence[str]
    counter: str

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Any at all."""
        if metrics.get(self.counter, 0.0) > 0:
            return RuleBreach(self.counter, metrics[self.counter], 0.0, "updates were skipped, not finite")
        if math.isfinite(sum(metrics.values())):  # then each of them is
            return None
        for name, value in metrics.items():
            if name.startswith(tuple(self.prefixes)) and not math.isfinite(value):
                return RuleBreach(name, value, 0.0, "is not finite")
        return None


@dataclass(kw_only=True)
class GradientBlowUp(CollapseRule):
    """A gradient norm far above its running median.

    threshold = factor · max(median of the last `window` positive norms, median of the first `warmup`): on a
    nearly solved task most norms are tiny, and one ordinary gradient among them is no accident.
    """

    metric: str
    factor: float
    window: int
    warmup: int
    first: list[float] = field(default_factory=list, init=False)
    recent: list[float] = field(default_factory=list, init=False)

    @property
    def waits_for(self) -> str:
        """It reads nothing else."""
        return self.metric

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Above the threshold of the norms before this one."""
        value = self.norm(metrics)
        if value is None or value <= 0.0:
            return None
        found = self._above(value) if len(self.first) >= self.warmup else None
        if len(self.first) < self.warmup:
            self.first.append(value)
        self.recent.append(value)
        if len(self.recent) > self.window:
            del self.recent[0]
        return found

    def is_silent(self, log: WholeLog) -> bool:
        """Never above the threshold of the first norms, below which no running median sets it."""
        norms = [one for one in log.reading(self.norm) if one > 0.0]
        first = norms[: self.warmup]
        return len(first) < self.warmup or max(norms) <= self.factor * statistics.median(first)

    def norm(self, metrics: Mapping[str, float]) -> float | None:
        """The norm of a step."""
        return finite_metric(metrics, self.metric)

    def _above(self, value: float) -> RuleBreach | None:
        if value <= self.factor * min(self.first):  # then no median is small enough
            return None
        usual = max(statistics.median(self.recent), statistics.median(self.first))
        if value <= self.factor * usual:
            return None
        return RuleBreach(self.metric, value, self.factor * usual, f"is far above its running median, {usual:.4g}")

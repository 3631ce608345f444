"""Rules that say when a run is collapsing: each looks at the metrics of one step and carries plain state.

A rule is breached while its condition holds, and fires from the `patience`-th breach in a row on, so that one
noisy batch is not an alarm. Its thresholds live in conf/stability, with the reasons. `severity` says what a
firing means: "collapse" (act as stability.on_collapse says) or "warning" (tell, and go on). A metric that is
missing or not finite tells nothing, except to `NonFinite`.
"""

from __future__ import annotations

import math
import statistics
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

ACCURACY = "accuracy/fresh"


@dataclass(frozen=True, slots=True)
class Firing:
    """A rule that fires: where it stood, and where the line was."""

    rule: str
    step: int
    metric: str
    value: float
    threshold: float
    severity: str  # "collapse" or "warning"
    message: str


class Breach(NamedTuple):
    """A condition that holds at one step."""

    metric: str
    value: float
    threshold: float
    reason: str


@dataclass(kw_only=True)
class Rule(ABC):
    """Counts breaches in a row; a subclass says what a breach is. Every field without init is its state."""

    severity: str
    patience: int
    streak: int = field(default=0, init=False)
    wary: bool = field(default=False, init=False)

    @abstractmethod
    def breach(self, metrics: Mapping[str, float]) -> Breach | None:
        """What is wrong with this step, if anything; called once a step, in order."""

    def check(self, step: int, metrics: Mapping[str, float]) -> Firing | None:
        """A firing at this step and at every further one while the breach lasts."""
        found = self.breach(metrics)
        self.streak = 0 if found is None else self.streak + 1
        if found is None or self.streak < self.patience:
            return None
        metric, value, threshold, reason = found
        message = f"{metric} = {value:.4g}: {reason} (limit {threshold:.4g}, {self.streak} steps in a row)"
        return Firing(type(self).__name__, step, metric, value, threshold, self.severity, message)

    @property
    def suspicious(self) -> bool:
        """Whether the latest step was a breach, or so far on the way to one that it is no state to return to."""
        return self.wary or self.streak > 0

    def state_dict(self) -> dict[str, Any]:
        """All that is carried between steps: numbers, None, lists of numbers."""
        state = {f.name: getattr(self, f.name) for f in fields(self) if not f.init}
        return {name: list(value) if isinstance(value, list) else value for name, value in state.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore `state_dict`."""
        for f in fields(self):
            if not f.init:
                value = state[f.name]
                setattr(self, f.name, list(value) if isinstance(value, list) else value)


@dataclass(kw_only=True)
class Floor(Rule):
    """A smoothed metric that must not sink below a share of its start, nor below an absolute floor.

    threshold = max(share · start, absolute), start the highest of the first `warmup` steps, the absolute
    floor only where the start lies above it. A low value is excused while the smoothed accuracy is at least
    `solved`: a policy that knows the answer has little left to be uncertain of. solved > 1: never excused.
    Half of the way down, in logarithms, it is wary of the unsmoothed value already.
    """

    metric: str
    share: float
    absolute: float
    solved: float
    warmup: int
    smoothing: float
    first: list[float] = field(default_factory=list, init=False)
    smoothed: float | None = field(default=None, init=False)
    accuracy: float | None = field(default=None, init=False)

    def breach(self, metrics: Mapping[str, float]) -> Breach | None:
        """Below the threshold on a task that is not solved."""
        self.accuracy = _smooth(self.accuracy, _finite(metrics, ACCURACY), self.smoothing)
        value = _finite(metrics, self.metric)
        if value is None:
            return None
        self.smoothed = _smooth(self.smoothed, value, self.smoothing)
        if len(self.first) < self.warmup:
            self.first.append(value)
            return None
        return self._below(value, self.smoothed or 0.0, max(self.first))

    def _below(self, value: float, smoothed: float, start: float) -> Breach | None:
        threshold = max(self.share * start, self.absolute if start > self.absolute else 0.0)
        excused = self.accuracy is not None and self.accuracy >= self.solved
        self.wary = value < math.sqrt(threshold * start) and not excused
        if smoothed >= threshold or excused:
            return None
        return Breach(self.metric, smoothed, threshold, f"has sunk from {start:.4g}")


@dataclass(kw_only=True)
class Drop(Rule):
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

    def breach(self, metrics: Mapping[str, float]) -> Breach | None:
        """Below share · peak."""
        value = _finite(metrics, self.metric)
        if value is None:
            return None
        self.smoothed = smoothed = _blend(self.smoothed, value, self.smoothing)
        self.peak = max(self.peak, smoothed)
        self.wary = self.peak >= self.minimum_peak and value < math.sqrt(self.share) * self.peak
        if self.peak < self.minimum_peak or smoothed >= self.share * self.peak:
            return None
        reason = f"has fallen from a peak of {self.peak:.4g}"
        return Breach(self.metric, smoothed, self.share * self.peak, reason)

    def state_dict(self) -> dict[str, Any]:
        """The peak is None before the first value: JSON knows no infinity."""
        return super().state_dict() | {"peak": None if math.isinf(self.peak) else self.peak}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore `state_dict`."""
        super().load_state_dict({**state, "peak": -math.inf if state["peak"] is None else state["peak"]})


@dataclass(kw_only=True)
class Ceiling(Rule):
    """A metric that must not rise above a limit: KL, total variation."""

    metric: str
    limit: float

    def breach(self, metrics: Mapping[str, float]) -> Breach | None:
        """Above the limit."""
        value = _finite(metrics, self.metric)
        if value is None or value <= self.limit:
            return None
        return Breach(self.metric, value, self.limit, "is too large")


@dataclass(kw_only=True)
class LengthBand(Rule):
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

    def breach(self, metrics: Mapping[str, float]) -> Breach | None:
        """Out of the band without a gain."""
        value, accuracy = _finite(metrics, self.metric), _finite(metrics, ACCURACY)
        if value is None or accuracy is None:
            return None
        self.smoothed = _blend(self.smoothed, value, self.smoothing)
        self.accuracy = _blend(self.accuracy, accuracy, self.smoothing)
        if len(self.first) < self.warmup:
            self.first.append(value)
            self.first_accuracy.append(accuracy)
            return None
        return self._outside(self.smoothed, self.accuracy)

    def _outside(self, length: float, accuracy: float) -> Breach | None:
        start = statistics.fmean(self.first)
        if accuracy > statistics.fmean(self.first_accuracy):
            return None
        low, high = self.shortest * start, self.longest * start
        if low <= length <= high:
            return None
        verb, threshold = ("exploded", high) if length > high else ("shrunk", low)
        return Breach(self.metric, length, threshold, f"has {verb} from {start:.4g} without a gain")


@dataclass(kw_only=True)
class Truncation(Rule):
    """Responses cut by the length limit: above a limit, and above what the run began with by `rise`."""

    metric: str
    limit: float
    rise: float
    warmup: int
    first: list[float] = field(default_factory=list, init=False)

    def breach(self, metrics: Mapping[str, float]) -> Breach | None:
        """Above both lines."""
        value = _finite(metrics, self.metric)
        if value is None:
            return None
        if len(self.first) < self.warmup:
            self.first.append(value)
            return None
        threshold = max(self.limit, statistics.fmean(self.first) + self.rise)
        return Breach(self.metric, value, threshold, "responses do not end") if value > threshold else None


@dataclass(kw_only=True)
class ZeroAdvantage(Rule):
    """No group tells right from wrong: nothing is learnt. Excused when that is because the data is solved."""

    metric: str
    share: float
    solved: float

    def breach(self, metrics: Mapping[str, float]) -> Breach | None:
        """Saturated at an accuracy below `solved`."""
        value, accuracy = _finite(metrics, self.metric), _finite(metrics, ACCURACY)
        if value is None or value < self.share or (accuracy is not None and accuracy >= self.solved):
            return None
        at = "" if accuracy is None else f" at an accuracy of {accuracy:.3g}"
        return Breach(self.metric, value, self.share, f"the groups are dead{at}, not solved")


@dataclass(kw_only=True)
class NonFinite(Rule):
    """A loss or gradient that is not finite, or an update that was skipped because of one."""

    prefixes: Sequence[str]
    counter: str

    def breach(self, metrics: Mapping[str, float]) -> Breach | None:
        """Any at all."""
        if metrics.get(self.counter, 0.0) > 0:
            return Breach(self.counter, metrics[self.counter], 0.0, "updates were skipped, not finite")
        for name, value in metrics.items():
            if name.startswith(tuple(self.prefixes)) and not math.isfinite(value):
                return Breach(name, value, 0.0, "is not finite")
        return None


@dataclass(kw_only=True)
class GradientBlowUp(Rule):
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

    def breach(self, metrics: Mapping[str, float]) -> Breach | None:
        """Above the threshold of the norms before this one."""
        value = _finite(metrics, self.metric)
        if value is None or value <= 0.0:
            return None
        found = self._above(value) if len(self.first) >= self.warmup else None
        if len(self.first) < self.warmup:
            self.first.append(value)
        self.recent = [*self.recent, value][-self.window :]
        return found

    def _above(self, value: float) -> Breach | None:
        usual = max(statistics.median(self.recent), statistics.median(self.first))
        if value <= self.factor * usual:
            return None
        return Breach(self.metric, value, self.factor * usual, f"against a usual {usual:.4g}")


def _finite(metrics: Mapping[str, float], name: str) -> float | None:
    value = metrics.get(name)
    return value if value is not None and math.isfinite(value) else None


def _blend(before: float | None, value: float, decay: float) -> float:
    """Exponential moving average that starts at its first value; decay = 0: no smoothing."""
    return value if before is None else decay * before + (1.0 - decay) * value


def _smooth(before: float | None, value: float | None, decay: float) -> float | None:
    return before if value is None else _blend(before, value, decay)

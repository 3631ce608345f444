"""Schedules: factors of the learning rate or of TVO's set point. k counts rollout batches from 0 to K − 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from tvo_cli.errors import UserError


class Schedule(Protocol):
    """Batch k of K → factor."""

    def __call__(self, step: int, steps: int) -> float: ...


def linear_rise(step: int, batches: int) -> float:
    """Return min(1, (k + 1)/batches); batches = 0: 1."""
    return min(1.0, (step + 1) / batches) if batches else 1.0


@dataclass(frozen=True, slots=True)
class WarmUp:
    """min(1, (k + 1)/batches)·schedule(k): a linear rise in front of a schedule, which runs on beneath it.

    arXiv:1706.02677, section 2.2. batches = 1 recovers the schedule.
    """

    schedule: Schedule
    batches: int

    def __call__(self, step: int, steps: int) -> float:
        """Factor of batch `step`; batch `batches` − 1 is the first at the schedule's own."""
        return linear_rise(step, self.batches) * self.schedule(step, steps)


def with_warm_up(schedule: Schedule, batches: int) -> Schedule:
    """Return the schedule behind a rise of so many batches; 0: the schedule itself."""
    return WarmUp(schedule, batches) if batches else schedule


@dataclass(frozen=True, slots=True)
class Constant:
    """A schedule that stays at 1."""

    def __call__(self, step: int, steps: int) -> float:
        """Factor of batch `step`."""
        return 1.0


@dataclass(frozen=True, slots=True)
class Linear:
    """start + (end − start)·k/K: TVO's cooling with start 1.75, end 0.25. start = end = 1: constant.

    The mean over k = 0 … K − 1 is (start + end)/2 + (start − end)/2K: of TVO's 1 + 0.75/K, 1.025 at K = 30. `end`
    would be the factor of batch K, the first after the run.
    """

    start: float
    end: float

    def __call__(self, step: int, steps: int) -> float:
        """Factor of batch `step`; stays at `end` past the horizon."""
        return self.start + (self.end - self.start) * min(step / max(steps, 1), 1.0)


@dataclass(frozen=True, slots=True)
class Inverse:
    """start/(1 + k/period): cooling without a known horizon (docs/tvo.md, section 5; η ∝ 1/t of arXiv:2505.10559)."""

    start: float
    period: float

    def __call__(self, step: int, steps: int) -> float:
        """Factor of batch `step`."""
        return self.start / (1.0 + step / self.period)


@dataclass(frozen=True, slots=True)
class Cosine:
    """end + (start − end)·(1 + cos πk/K)/2. arXiv:1608.03983."""

    start: float
    end: float

    def __call__(self, step: int, steps: int) -> float:
        """Factor of batch `step`; stays at `end` past the horizon."""
        share = min(step / max(steps, 1), 1.0)
        return self.end + (self.start - self.end) * 0.5 * (1.0 + math.cos(math.pi * share))


@dataclass(frozen=True, slots=True)
class StableDecay:
    """start until hold·K, then linearly to end at K; behind a warm-up the warm-up–stable–decay schedule.

        η(k) = start + (end − start)·max(0, k − hold·K)/(K − hold·K)

    Hu et al. 2024, arXiv:2404.06395 (WSD; its decay to a tenth over the last tenth of a run). hold = 0 recovers
    `Linear`; end = start a constant.

    Args:
        start: factor at the peak.
        end: factor of batch K, the first after the run.
        hold: share of the run before the decay, in [0, 1).
    """

    start: float
    end: float
    hold: float

    def __post_init__(self) -> None:
        """A decay needs a part of the run."""
        if not 0.0 <= self.hold < 1.0:
            raise UserError(
                "schedule.hold", self.hold, "is no share of the run before the decay.", "Take 0 up to 0.99."
            )

    def __call__(self, step: int, steps: int) -> float:
        """Factor of batch `step`; stays at `end` past the horizon."""
        held = self.hold * steps
        share = min(max(step - held, 0.0) / max(steps - held, 1.0), 1.0)
        return self.start + (self.end - self.start) * share


@dataclass(frozen=True, slots=True)
class RiverValley:
    """Neural Thermodynamic Laws: warm up, hold the peak, then cool as 1/t, the fastest way to cool a valley.

        η(t) = start · (t + 1)/warm_up                                       t < warm_up
             = start                                                         until t_d = hold·K
             = max(end, φ·start/(1 + (t − t_d)/τ))                           from t_d on, φ = drop

    Liu et al. 2025, arXiv:2505.10559: noise holds the energy η·s²/4 in a direction whatever its curvature a
    (equipartition), and with η_t = 1/(a(t + t_0)) the variance obeys 1/V' = 1/V + a²/s², which no other schedule
    beats. From equilibrium at the peak that is φ = ½ at once and τ = 2/(a·η_peak). Without a measured curvature
    (stiffness 0) τ is set so that η(K) = end.

    Fidelity: notes (1/t and equipartition are the paper's; φ = ½ and τ were derived here).

    start = end = drop = 1 recovers a constant; warm_up = hold = end = 0, drop = 1: `Inverse`, period 2/stiffness.

    Args:
        start: factor at the peak.
        end: least factor; the share of the peak that still moves along the river.
        warm_up: batches of linear rise, of any schedule's rate `WarmUp`.
        hold: share of the run before the cooling, in [0, 1).
        drop: φ; ½ from equilibrium, 1 for none.
        stiffness: a·η_peak, the share of a valley's displacement that one batch takes away; 0: unknown.
    """

    start: float
    end: float
    warm_up: int
    hold: float
    drop: float
    stiffness: float

    def __post_init__(self) -> None:
        """Cooling needs to know where to or how fast."""
        if self.end <= 0 and self.stiffness <= 0:
            remedy = "Give one of the two: an end above 0, or a measured stiffness."
            raise UserError("schedule.end", self.end, "the 1/t schedule has neither an end nor a stiffness.", remedy)

    def __call__(self, step: int, steps: int) -> float:
        """Factor of batch `step`; stays at `end` past the horizon."""
        cooled = step - self.hold * steps
        if step < self.warm_up:
            return self.start * (step + 1) / self.warm_up
        if cooled < 0:
            return self.start
        return max(self.end, self.drop * self.start / (1.0 + cooled / self._period(steps)))

    def _period(self, steps: int) -> float:
        """τ in batches; infinite where there is nothing to cool."""
        if self.stiffness > 0:
            return 2.0 / self.stiffness
        excess = self.drop * self.start / self.end - 1.0
        return max(steps, 1) * (1.0 - self.hold) / excess if excess > 0 else math.inf

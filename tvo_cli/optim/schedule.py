"""Factors over a run: of the learning rate, or of TVO's set-point. k counts rollout batches from 0 to K − 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol


class Schedule(Protocol):
    """Batch k of K → factor."""

    def __call__(self, step: int, steps: int) -> float: ...


@dataclass(frozen=True, slots=True)
class Constant:
    """1."""

    def __call__(self, step: int, steps: int) -> float:
        """Factor of batch `step`."""
        return 1.0


@dataclass(frozen=True, slots=True)
class Linear:
    """start + (end − start)·k/K: TVO's cooling with start 1.75, end 0.25 (mean 1). start = end = 1: constant."""

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

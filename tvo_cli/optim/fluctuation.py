"""How far a batch may move, by how much its rewards fluctuate: equal steps of the inverse temperature."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class Fluctuation:
    """Factor max(√w/unit, least) on the set-point, w_k = decay·w_{k−1} + (1 − decay)·Var R of batch k, in reward².

    Without a unit: √(w / max w so far), so that a run cools once its fluctuations have passed their peak.

    Along the Gibbs path π_λ ∝ π·exp(λR), λ = 1/T, fluctuation and dissipation give d⟨R⟩/dλ = Var R and
    KL(π_{λ+dλ}‖π_λ) = ½ dλ² Var R: equal steps of λ are displacements √(2 KL) in proportion to √Var R. So little
    moves where little can be told apart (nearly all wrong, nearly all right), and a run cools by itself.

    Fidelity: notes (this project's, docs/tvo.md, section 5).

    unit: √w at which the set-point is as it says, in reward; 0.5 is that of a reward of 0 or 1 at even odds; null: the
        greatest √w so far. Var R/T² is the heat capacity, and cooling by it is old (simulated annealing, Lam 1988).
    least = 1 with unit = null recovers the set-point without it.
    """

    unit: float | None
    decay: float
    least: float = 0.02  # of the factor: what a batch of equal rewards may still move by other forces
    average: float = -1.0  # w of the last batch that was learnt from; −1: none was
    latest: float = -1.0  # Var R of the batch under way; −1: not seen
    peak: float = 0.0  # the greatest w of a batch that was learnt from

    def observe(self, variance: float) -> None:
        """Read Var R of the batch that begins; one that is not finite is passed over, as the update does with it."""
        self.latest = variance if math.isfinite(variance) else -1.0

    @property
    def variance(self) -> float:
        """w of the batch under way: of those that are known; −1 where none is."""
        if self.average < 0.0 or self.latest < 0.0:
            return max(self.average, self.latest)
        return self.decay * self.average + (1.0 - self.decay) * self.latest

    @property
    def factor(self) -> float:
        """What d̄ of the batch under way is multiplied by; 1 before any batch."""
        unit = math.sqrt(max(self.peak, self.variance, 0.0)) if self.unit is None else self.unit
        return max(math.sqrt(self.variance) / unit, self.least) if self.variance >= 0.0 and unit > 0.0 else 1.0

    @property
    def is_silent(self) -> bool:
        """Whether the rewards of the batch under way are all equal: that the policy stayed says nothing of ν."""
        return self.latest == 0.0

    def end_batch(self) -> None:
        """Carry w over; a batch that begins twice, before and after a resume, counts once."""
        self.average, self.latest = self.variance, -1.0
        self.peak = max(self.peak, self.average)

    def state_dict(self) -> dict[str, float]:
        """w and Var R of the batch under way."""
        known = {"reward_variance": self.average, "latest_reward_variance": self.latest}
        return known | {"peak_reward_variance": self.peak} if self.unit is None else known

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`; of a run without it, nothing."""
        self.average = state.get("reward_variance", self.average)
        self.latest = state.get("latest_reward_variance", self.latest)
        self.peak = state.get("peak_reward_variance", self.peak)

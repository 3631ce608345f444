"""θ ← θ − (η/ν)·P·∇L: what divides the step. Adam cancels any factor on the loss, so ν acts on the step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from tvo_cli.optim.schedule import Schedule
from tvo_cli.optim.set_point import SetPoint


class StepRule(Protocol):
    """Measured divergence → viscosity ν ≥ 0 of the next optimiser step; it may carry state between batches."""

    def begin_batch(self, old_logp: Tensor, mask: Tensor, step: int, steps: int) -> None: ...

    def viscosity(self, divergence: float) -> float: ...

    def end_batch(self) -> None: ...

    def thicken(self, factor: float) -> None: ...

    def readings(self) -> dict[str, float]: ...

    def state_dict(self) -> dict[str, float]: ...

    def load_state_dict(self, state: Mapping[str, float]) -> None: ...


@dataclass(slots=True)
class Free:
    """ν = 1: PPO, GRPO, REINFORCE. After a rollback the step is halved by raising the constant."""

    constant: float = 1.0

    def begin_batch(self, old_logp: Tensor, mask: Tensor, step: int, steps: int) -> None:
        """Nothing to measure."""

    def viscosity(self, divergence: float) -> float:
        """ν of this step."""
        return self.constant

    def end_batch(self) -> None:
        """Nothing to learn."""

    def thicken(self, factor: float) -> None:
        """Raise ν after a rollback."""
        self.constant *= factor

    def readings(self) -> dict[str, float]:
        """Only what a rollback has changed: ν = 1 otherwise, and nothing worth a column."""
        return {"thermo/viscosity": self.constant} if self.constant != 1.0 else {}

    def state_dict(self) -> dict[str, float]:
        """The constant."""
        return {"constant": self.constant}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.constant = state["constant"]


@dataclass(slots=True)
class Viscosity:
    """ν = ν_b (1 + (D/d̄)²) with carry-over ν_b ← clip(ν_b (D_end/d̄)^κ, 1, ν_max) after each rollout batch.

    D is the mean binary TV of the minibatch before the step (0 at the first step of a batch: ν_b alone protects
    it), D_end that of the last minibatch. A scalar, so the direction of ∇F survives and dF/dt ≤ 0 holds
    (docs/tvo.md, sections 2–4). The controller is stable for 0 < κ·β < 2 with D ∝ (η/ν)^β, whatever η.

    d̄ = set_point × schedule. set_point = Probability(inf), initial = 1 and exponent = 0 recover ν = 1.
    """

    set_point: SetPoint
    schedule: Schedule
    exponent: float  # κ
    initial: float  # ν_b at the start
    maximum: float  # ν_max
    base: float = 0.0  # ν_b, carried
    target: float = 1.0  # d̄ of the batch under way
    last: float = 0.0  # D of the latest minibatch
    current: float = 1.0  # ν of the latest step

    def __post_init__(self) -> None:
        """Start from `initial`."""
        self.base = self.base or self.initial

    def begin_batch(self, old_logp: Tensor, mask: Tensor, step: int, steps: int) -> None:
        """Set d̄ for rollout batch `step` of `steps`."""
        self.target = self.set_point(old_logp, mask) * self.schedule(step, steps)

    def viscosity(self, divergence: float) -> float:
        """ν of a step taken at mean binary TV `divergence`."""
        self.last = divergence
        self.current = self.base * (1.0 + (divergence / self.target) ** 2)
        return self.current

    def end_batch(self) -> None:
        """Carry the last divergence over into ν_b."""
        ratio = max(self.last, 1e-6) / self.target
        self.base = min(max(self.base * ratio**self.exponent, 1.0), self.maximum)

    def thicken(self, factor: float) -> None:
        """Raise ν_b after a rollback."""
        self.base = min(self.base * factor, self.maximum)

    def readings(self) -> dict[str, float]:
        """ν of the last step and the set-point, d̄ in probability."""
        return {"thermo/viscosity": self.current, "thermo/set_point": self.target}

    def state_dict(self) -> dict[str, float]:
        """All that is carried."""
        return {"base": self.base, "target": self.target, "last": self.last, "current": self.current}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.base, self.target = state["base"], state["target"]
        self.last, self.current = state["last"], state["current"]

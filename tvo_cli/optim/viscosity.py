"""TVO's step rule: the viscosity ν divides the step; a trust-region controller on mean binary TV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from tvo_cli.maths.divergence import binary_total_variation
from tvo_cli.optim.schedule import Schedule, linear_rise
from tvo_cli.optim.set_point import SetPoint


@dataclass(slots=True)
class Viscosity:
    """ν = ν_b (1 + (D/d̄)²) with carry-over ν_b ← clip(ν_b (D_end/d̄)^κ, 1, ν_max) after each rollout batch.

    D is the mean binary TV of the minibatch before the step (0 at the first step of a batch: ν_b alone protects
    it), D_end that of the last minibatch. A scalar, so the direction of ∇F survives and dF/dt ≤ 0 holds
    (docs/tvo.md, sections 2–4). The controller is stable for 0 < κ·β < 2 with D ∝ (η/ν)^β, whatever η.

    Fidelity: notes (the abstract fixes the divergence; the controller is this project's, docs/tvo.md).

    d̄ = set_point × schedule. set_point = Probability(inf), initial = 1 and exponent = 0 recover ν = 1.

    Where the learning rate rises over the first `warm_up` batches, d̄ rises with it: held at its full value, it would
    have ν fall until the rise is undone, and overshoot when the rate has come up.
    """

    set_point: SetPoint
    schedule: Schedule
    exponent: float  # κ
    initial: float  # ν_b at the start
    maximum: float  # ν_max
    warm_up: int = 0  # batches over which d̄ rises linearly: those of the learning rate's rise
    base: float = 0.0  # ν_b, carried
    target: float = 1.0  # d̄ of the batch under way
    last: float = -1.0  # D of the latest step that followed another in this batch; −1: there was none
    begun: float = 0.0  # steps of this batch so far
    current: float = 1.0  # ν of the latest step

    def __post_init__(self) -> None:
        """Start from `initial`."""
        self.base = self.base or self.initial

    def divergence(self, logp: Tensor, old_logp: Tensor, /) -> Tensor:
        """Binary total variation of each token, [B, T]."""
        return binary_total_variation(logp, old_logp)

    def begin_batch(self, old_logp: Tensor, mask: Tensor, step: int, steps: int) -> None:
        """Set d̄ for rollout batch `step` of `steps`."""
        self.target = self.set_point(old_logp, mask) * self.schedule(step, steps) * linear_rise(step, self.warm_up)
        self.last, self.begun = -1.0, 0.0

    def viscosity(self, divergence: float) -> float:
        """ν of a step taken at mean binary TV `divergence`."""
        self.last = divergence if self.begun else self.last
        self.begun += 1.0
        self.current = self.base * (1.0 + (divergence / self.target) ** 2)
        return self.current

    def end_batch(self) -> None:
        """Carry the last divergence over into ν_b; a batch of a single step, which reads D = 0, tells nothing."""
        if self.last < 0.0:
            return
        ratio = max(self.last, 1e-6) / self.target
        self.base = min(max(self.base * ratio**self.exponent, 1.0), self.maximum)

    def raise_viscosity(self, factor: float) -> None:
        """Raise ν_b after a rollback."""
        self.base = min(self.base * factor, self.maximum)

    def readings(self) -> dict[str, float]:
        """ν of the last step and the set-point, d̄ in probability."""
        return {"thermo/viscosity": self.current, "thermo/set_point": self.target}

    def state_dict(self) -> dict[str, float]:
        """All that is carried."""
        names = ("base", "target", "last", "begun", "current")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        for name, value in state.items():
            setattr(self, name, value)

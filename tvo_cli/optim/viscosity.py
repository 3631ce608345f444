"""TVO's step rule: the viscosity ν divides the step; a trust-region controller on mean binary TV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from tvo_cli.errors import UserError
from tvo_cli.maths.divergence import binary_total_variation
from tvo_cli.maths.groups import sampling_variance
from tvo_cli.optim.fluctuation import Fluctuation
from tvo_cli.optim.schedule import Schedule, linear_rise
from tvo_cli.optim.set_point import SetPoint

CARRIED = ("base", "target", "last", "begun", "current")  # numbers of a Viscosity that a checkpoint holds


@dataclass(slots=True)
class Viscosity:
    """ν = ν_b (1 + (D/d̄)²) with carry-over ν_b ← clip(ν_b (D_end/d̄)^κ, ν_min, ν_max) after each rollout batch.

    D is the mean binary TV of the minibatch before the step (0 at the first step of a batch: ν_b alone protects
    it), D_end that of the last minibatch. A scalar, so the direction of ∇F survives and dF/dt ≤ 0 holds
    (docs/tvo.md, sections 2–4). The controller is stable for 0 < κ·β < 2 with D ∝ (η/ν)^β, whatever η.

    Fidelity: notes (the abstract fixes the divergence; the controller is this project's, docs/tvo.md).

    d̄ = set_point × schedule × fluctuation. set_point = Probability(inf), initial = 1, exponent = 0 recover ν = 1.
    With a fluctuation a batch of equal rewards leaves ν_b or raises it: its policy stayed for want of a force.

    Where the learning rate rises over the first `warm_up` batches, d̄ rises with it: held at its full value, it would
    have ν fall until the rise is undone, and overshoot when the rate has come up.
    """

    set_point: SetPoint
    schedule: Schedule
    exponent: float  # κ
    initial: float  # ν_b at the start
    maximum: float  # ν_max
    fluctuation: Fluctuation | None = None  # factor on d̄ by the spread of the rewards; null: 1
    warm_up: int = 0  # batches over which d̄ rises linearly: those of the learning rate's rise
    minimum: float = 1.0  # ν_min: ν_b falls no lower; below 1 a rate that is too small is made up for
    base: float = 0.0  # ν_b, carried
    target: float = 1.0  # d̄ of the batch under way
    last: float = -1.0  # D of the latest step that followed another in this batch; −1: there was none
    begun: float = 0.0  # steps of this batch so far
    current: float = 1.0  # ν of the latest step

    def __post_init__(self) -> None:
        """Start from `initial`.

        Raises:
            UserError: the bounds leave nothing between them.
        """
        if self.minimum > self.maximum:
            problem = f"is more than algorithm.step_rule.maximum={self.maximum:g}."
            raise UserError("algorithm.step_rule.minimum", self.minimum, problem, "ν_b lies between the two.")
        self.base = self.base or self.initial

    def divergence(self, logp: Tensor, old_logp: Tensor, /) -> Tensor:
        """Binary total variation of each token, [B, T]."""
        return binary_total_variation(logp, old_logp)

    def observe_rewards(self, rewards: Tensor, group: Tensor, source: Tensor) -> None:
        """Show the rewards of the batch that begins, [B], with their groups and data sources."""
        if self.fluctuation is not None:
            self.fluctuation.observe(sampling_variance(rewards, group, source))

    def begin_batch(self, old_logp: Tensor, mask: Tensor, step: int, steps: int) -> None:
        """Set d̄ for rollout batch `step` of `steps`."""
        cooled = self.set_point(old_logp, mask) * self.schedule(step, steps) * linear_rise(step, self.warm_up)
        self.target = max(cooled if self.fluctuation is None else cooled * self.fluctuation.factor, 1e-6)
        self.last, self.begun = -1.0, 0.0

    def viscosity(self, divergence: float) -> float:
        """ν of a step taken at mean binary TV `divergence`."""
        self.last = divergence if self.begun else self.last
        self.begun += 1.0
        self.current = self.base * (1.0 + (divergence / self.target) ** 2)
        return self.current

    def end_batch(self) -> None:
        """Carry the last divergence over into ν_b; a batch of a single step, which reads D = 0, tells nothing."""
        silent = self.fluctuation is not None and self.fluctuation.is_silent
        if self.fluctuation is not None:
            self.fluctuation.end_batch()
        if self.last < 0.0:
            return
        ratio = max(self.last, 1e-6) / self.target
        ratio = max(ratio, 1.0) if silent else ratio
        self.base = min(max(self.base * ratio**self.exponent, self.minimum), self.maximum)

    def raise_viscosity(self, factor: float) -> None:
        """Raise ν_b after a rollback."""
        self.base = min(self.base * factor, self.maximum)

    def readings(self) -> dict[str, float]:
        """ν of the last step, the set-point d̄ in probability, and its factor where the rewards have a say."""
        found = {"thermo/viscosity": self.current, "thermo/set_point": self.target}
        return found if self.fluctuation is None else found | {"thermo/fluctuation": self.fluctuation.factor}

    def state_dict(self) -> dict[str, float]:
        """All that is carried."""
        own = {name: getattr(self, name) for name in CARRIED}
        return own if self.fluctuation is None else own | self.fluctuation.state_dict()

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        for name in CARRIED:
            setattr(self, name, state.get(name, getattr(self, name)))
        if self.fluctuation is not None:
            self.fluctuation.load_state_dict(state)

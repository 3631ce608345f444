"""The step rule of a KL-adaptive learning rate: it follows the measured divergence by fixed factors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from tvo_cli.optim.schedule import linear_rise
from tvo_cli.optim.step_rule import TokenDivergence


@dataclass(slots=True)
class AdaptiveRate:
    """KL-adaptive learning rate: η/ν, with ν ← c·ν where D > 2·target and ν ← ν/c where D < target/2.

    D is the mean divergence of the minibatch before the step, so every step but a batch's first (where D = 0 by
    construction and tells nothing) moves ν, by the factor c = 1.5. Rudin et al. 2021, arXiv:2109.11978.

    Fidelity: notes (of the authors' rsl_rl: thresholds 2 and ½, c = 1.5, rate within [1e-5, 1e-2] about 1e-3; there D
    is the exact KL of two Gaussians, here the k3 estimate of KL(π_old‖π), nats a token).

    factor = 1 recovers ν = 1.

    Where the learning rate rises over the first `warm_up` batches, the target rises with it: ν would undo the rise.
    """

    divergence: TokenDivergence
    target: float  # in the divergence's unit
    factor: float  # c ≥ 1
    minimum: float  # ν ≥ minimum: the rate grows at most to η/minimum
    maximum: float  # ν ≤ maximum
    warm_up: int = 0  # batches over which the target rises linearly: those of the learning rate's rise
    current: float = 1.0  # ν, carried
    begun: float = 0.0  # steps of this batch so far
    rise: float = 1.0  # of the target, in this batch

    def begin_batch(self, old_logp: Tensor, mask: Tensor, step: int, steps: int) -> None:
        """The next step is a batch's first."""
        self.begun, self.rise = 0.0, linear_rise(step, self.warm_up)

    def viscosity(self, divergence: float) -> float:
        """ν of a step taken at mean divergence `divergence`."""
        target = self.target * self.rise
        if self.begun and divergence > 2.0 * target:
            self._move(self.factor)
        elif self.begun and divergence < 0.5 * target:
            self._move(1.0 / self.factor)
        self.begun += 1.0
        return self.current

    def _move(self, factor: float) -> None:
        self.current = min(max(self.current * factor, self.minimum), self.maximum)

    def end_batch(self) -> None:
        """Nothing more to learn."""

    def raise_viscosity(self, factor: float) -> None:
        """Raise ν after a rollback."""
        self._move(factor)

    def readings(self) -> dict[str, float]:
        """ν of the last step."""
        return {"thermo/viscosity": self.current}

    def state_dict(self) -> dict[str, float]:
        """ν, how far into a batch, and how far the target has risen."""
        return {"current": self.current, "begun": self.begun, "rise": self.rise}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.current, self.begun, self.rise = state["current"], state["begun"], state.get("rise", 1.0)

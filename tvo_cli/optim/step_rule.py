"""What a step rule is: the ν that divides a step, θ ← θ − (η/ν)·P·∇L. Adam cancels factors on the loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from tvo_cli.maths.divergence import binary_total_variation


class StepRule(Protocol):
    """Measured divergence → viscosity ν > 0 of the next optimiser step; it may carry state between batches.

    ν = ∞ freezes the policy: the inner loop ends, and the batch's remaining minibatches are not used.
    """

    def divergence(self, logp: Tensor, old_logp: Tensor, /) -> Tensor: ...  # [B, T], whose mean the rule is shown

    def begin_batch(self, old_logp: Tensor, mask: Tensor, step: int, steps: int) -> None: ...

    def viscosity(self, divergence: float) -> float: ...

    def end_batch(self) -> None: ...

    def raise_viscosity(self, factor: float) -> None: ...

    def readings(self) -> dict[str, float]: ...

    def state_dict(self) -> dict[str, float]: ...

    def load_state_dict(self, state: Mapping[str, float]) -> None: ...


@runtime_checkable
class RewardReadingStepRule(Protocol):
    """A step rule that is shown the rewards of a batch before it begins: [B] each."""

    def observe_rewards(self, rewards: Tensor, group: Tensor, source: Tensor) -> None: ...


@dataclass(slots=True)
class Free:
    """The step rule without control, ν = 1: PPO, GRPO, REINFORCE. A rollback raises the constant."""

    constant: float = 1.0

    def divergence(self, logp: Tensor, old_logp: Tensor, /) -> Tensor:
        """Binary total variation of each token, [B, T]."""
        return binary_total_variation(logp, old_logp)

    def begin_batch(self, old_logp: Tensor, mask: Tensor, step: int, steps: int) -> None:
        """Nothing to measure."""

    def viscosity(self, divergence: float) -> float:
        """ν of this step."""
        return self.constant

    def end_batch(self) -> None:
        """Nothing to learn."""

    def raise_viscosity(self, factor: float) -> None:
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


class TokenDivergence(Protocol):
    """log π and log π_old of the sampled tokens [B, T] → divergence of each token [B, T]."""

    def __call__(self, logp: Tensor, old_logp: Tensor, /) -> Tensor: ...

"""The step rule that ends the inner loop when the policy has moved far enough (PPO's early stopping)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from tvo_cli.optim.step_rule import TokenDivergence


@dataclass(slots=True)
class EarlyStop:
    """ν = 1 until the mean divergence D of a minibatch, before its step, exceeds the limit; then ν = ∞: no more steps.

    What is left of the rollout batch is dropped, the critic's steps too. Practice since OpenAI's Spinning Up
    (Achiam 2018) and Stable-Baselines3, for PPO (arXiv:1707.06347).

    Fidelity: notes (Spinning Up stops at 1.5 times a target KL of 0.01 and lets the critic go on; here the limit is
    the limit itself, and D is k3 of KL(π_old‖π) or the binary total variation).

    limit = infinity recovers ν = 1.
    """

    divergence: TokenDivergence
    limit: float  # in the divergence's unit
    constant: float = 1.0  # ν before the stop; raised by a rollback

    def begin_batch(self, old_logp: Tensor, mask: Tensor, step: int, steps: int) -> None:
        """Every batch begins anew."""

    def viscosity(self, divergence: float) -> float:
        """ν of this step; infinite: the batch is finished."""
        return math.inf if divergence > self.limit else self.constant

    def end_batch(self) -> None:
        """Nothing to learn."""

    def raise_viscosity(self, factor: float) -> None:
        """Raise ν after a rollback."""
        self.constant *= factor

    def readings(self) -> dict[str, float]:
        """ν where a rollback has changed it; how many steps were taken is optimizer/steps."""
        return {"thermo/viscosity": self.constant} if self.constant != 1.0 else {}

    def state_dict(self) -> dict[str, float]:
        """The constant."""
        return {"constant": self.constant}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.constant = state["constant"]

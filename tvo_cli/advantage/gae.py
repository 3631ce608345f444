"""PPO's advantage: a critic and GAE, with the KL to the reference inside the reward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tvo_cli.advantage.estimator import StatelessEstimator
from tvo_cli.advantage.token_rewards import token_rewards
from tvo_cli.maths import masked
from tvo_cli.types import Advantage, Experience


@dataclass(slots=True)
class GeneralisedAdvantage(StatelessEstimator):
    """r_t = −c_KL·k1_t + 1[t last]·R;  Â by GAE(γ, λ) on the critic's values; returns G = Â + V, then Â whitened.

    Schulman et al. 2017 arXiv:1707.06347; per-token KL: Ziegler et al. 2019 arXiv:1909.08593.
    Fidelity: notes (as verl computes it: returns before whitening, n−1; adaptive KL control is left out).

    λ = γ = 1, c_KL = 0, V = 0 recover Â_t = R for every t. κ is the whitening factor.
    """

    needs_critic: ClassVar[bool] = True
    of_whole_batch: ClassVar[bool] = True
    discount: float
    trace: float
    kl_coef: float
    whiten: bool
    epsilon: float = 1e-8

    @property
    def needs_reference(self) -> bool:  # type: ignore[override]
        """Only for the KL inside the reward."""
        return self.kl_coef != 0.0

    def __call__(self, experience: Experience) -> Advantage:
        """Estimate Â and the critic's targets, both [B, T]."""
        if experience.values is None:
            raise ValueError("GAE needs the critic's values")
        mask, values = experience.mask, experience.values
        raw = generalised_advantage(self.token_rewards(experience), values, mask, self.discount, self.trace)
        returns = torch.where(mask, raw + values, 0.0)
        if not self.whiten:
            return Advantage(raw, scale=1.0, returns=returns)
        scale = float(torch.rsqrt(masked.variance(raw, mask) + self.epsilon))
        return Advantage(masked.whiten(raw, mask, self.epsilon), scale=scale, returns=returns)

    def token_rewards(self, experience: Experience) -> Tensor:
        """The outcome on the last response token, minus the KL penalty on each, [B, T]."""
        return token_rewards(experience, experience.rewards, self.kl_coef)


def generalised_advantage(rewards: Tensor, values: Tensor, mask: Tensor, discount: float, trace: float) -> Tensor:
    """GAE: δ_t = r_t + γ V_{t+1} − V_t,  Â_t = δ_t + γλ Â_{t+1}, backwards over response tokens, [B, T].

    Schulman et al. 2016, arXiv:1506.02438, eq. 16. Padding is stepped over: V and Â are carried across it.

    Args:
        rewards: [B, T] per-token rewards.
        values: [B, T] V(s_t), the state before token t; V after the last token is 0.
        mask: bool [B, T].
        discount: γ; 1 for undiscounted episodes.
        trace: λ; 1 recovers Σ rewards − V, 0 the one-step TD error.
    """
    advantage = torch.zeros_like(values)
    next_value, carried = values.new_zeros(len(values)), values.new_zeros(len(values))
    for t in reversed(range(values.shape[1])):
        delta = rewards[:, t] + discount * next_value - values[:, t]
        here = mask[:, t]
        carried = torch.where(here, delta + discount * trace * carried, carried)
        next_value = torch.where(here, values[:, t], next_value)
        advantage[:, t] = torch.where(here, carried, 0.0)
    return advantage

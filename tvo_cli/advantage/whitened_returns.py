"""REINFORCE++'s advantages: a return to go, whitened over every token of the rollout batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tvo_cli.advantage.estimator import StatelessEstimator
from tvo_cli.advantage.gae import generalised_advantage
from tvo_cli.advantage.token_rewards import token_rewards
from tvo_cli.maths import groups, masked
from tvo_cli.maths.masked import spread_over_tokens
from tvo_cli.types import Advantage, Experience


@dataclass(slots=True)
class WhitenedReturn(StatelessEstimator):
    """r_t = −c_KL·k1_t + 1[t last]·R,  G_t = Σ_{s≥t} γ^{s−t} r_s,  Â = (G − mean)/√(var + ε) over the batch's tokens.

    REINFORCE++, Hu et al. 2025, arXiv:2501.03262; n−1 variance. Statistics are of tokens, so long responses weigh
    more in them. Where all returns are equal Â is exactly 0. κ is the whitening factor.

    Fidelity: notes (as verl computes it: n−1 variance; the authors' OpenRLHF divides by n).
    """

    of_whole_batch: ClassVar[bool] = True
    discount: float  # γ
    kl_coef: float
    epsilon: float

    @property
    def needs_reference(self) -> bool:  # type: ignore[override]
        """Only for the KL inside the reward."""
        return self.kl_coef != 0.0

    def __call__(self, experience: Experience) -> Advantage:
        """Estimate Â, [B, T]."""
        rewards = token_rewards(experience, experience.rewards, self.kl_coef)
        blind = torch.zeros_like(rewards)
        returns = generalised_advantage(rewards, blind, experience.mask, self.discount, trace=1.0)
        return _whitened_advantage(returns, experience.mask, self.epsilon)


@dataclass(slots=True)
class WhitenedGroup(StatelessEstimator):
    """R_i − mean_g on every token, whitened over the tokens of the batch: REINFORCE++-baseline, arXiv:2501.03262.

    Its KL to the reference is a penalty of the loss (k2), not a part of the reward. κ is the whitening factor.

    Fidelity: notes (as verl computes it: n−1 variance; the authors' OpenRLHF divides by n).
    """

    minimum_samples: ClassVar[int] = 2
    of_whole_batch: ClassVar[bool] = True
    epsilon: float

    def __call__(self, experience: Experience) -> Advantage:
        """Estimate Â, [B, T]."""
        centred = groups.group_centred(experience.rewards, experience.group)
        return _whitened_advantage(spread_over_tokens(centred, experience.mask), experience.mask, self.epsilon)


def _whitened_advantage(returns: Tensor, mask: Tensor, epsilon: float) -> Advantage:
    """Exactly 0 where all are equal: rounding over √ε would be a signal of its own."""
    seen = returns[mask]
    if not len(seen) or bool(seen.min() == seen.max()):
        return Advantage(torch.zeros_like(returns), scale=1.0)
    scale = float(torch.rsqrt(masked.variance(returns, mask) + epsilon))
    return Advantage(masked.whiten(returns, mask, epsilon), scale=scale)

"""The nucleus (top-p) of a token distribution, and the entropy inside it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

OUTSIDE = -1.0e4  # a log-probability whose exponential is exactly 0 in float32


@dataclass(frozen=True, slots=True)
class Nucleus:
    """The smallest set of most likely words whose probabilities sum to at least `mass` (top-p, arXiv:1904.09751).

    With crossing false the word that crosses `mass` is left out, and the set may be empty: what the released code
    of SIREN does. mass = 1 recovers the whole vocabulary.
    """

    mass: float
    crossing: bool

    def __call__(self, log_pi: Tensor) -> Tensor:
        """Which words of each row belong, log π [N, V] → bool [N, V]; no gradient."""
        if self.mass >= 1.0:
            return torch.ones_like(log_pi, dtype=torch.bool)
        probability, order = log_pi.detach().exp().sort(dim=-1, descending=True)
        reached = probability.cumsum(-1)
        kept = (reached - probability if self.crossing else reached) < self.mass
        return torch.zeros_like(kept).scatter(-1, order, kept)


def nucleus_entropy(log_pi: Tensor, nucleus: Nucleus) -> Tensor:
    """−Σ_{v∈K} π'_v log π'_v with π' = π/π(K), nats, log π [N, V] → [N]; 0 and no gradient where K is empty.

    ∂/∂z_v = −π'_v (log π'_v + H') inside K and 0 outside: the choice of K is not differentiated.
    """
    inside = nucleus(log_pi)
    renormalised = torch.log_softmax(log_pi.masked_fill(~inside, OUTSIDE), dim=-1)
    entropy = -torch.linalg.vecdot(renormalised.exp(), renormalised)
    return torch.where(inside.any(-1), entropy, 0.0)

"""DPPO: a token learns unless its own binary divergence is spent and the step would spend more.

arXiv:2602.04879. Changes GRPO at: estimator (no division by the spread), surrogate (a cap, no clip), weight, reduce,
old_logp (the sampler's own).
"""

from __future__ import annotations

import torch
from torch import Tensor

from tvo_cli.maths.divergence import binary_kl, binary_total_variation
from tvo_cli.types import Tokens


def dppo(tokens: Tokens, *, divergence: str, low: float, high: float) -> Tensor:
    """0 where Â > 0, p > q, D > high, and where Â ≤ 0, p < q, D > low; else 1, [B, T]. What goes back to q is kept.

    p = π_θ(a|s), q = π_old(a|s), which must be the policy that sampled (trainer.old_logp=sampler): the paper finds
    that probabilities recomputed by the trainer do not bound anything. D is |p − q| or the binary KL(q‖p), nats.

    Fidelity: official code (sail-sg/Stable-RL and verl: centred advantage, one length for all; the cap of 20 on ρ is
    verl's default, which the released example switches off).

    Args:
        tokens: the minibatch.
        divergence: "total_variation" or "kl".
        low: D up to which a bad token may fall; infinity: always.
        high: D up to which a good token may rise; infinity, with low, recovers weight 1.
    """
    measured = {"total_variation": binary_total_variation, "kl": binary_kl}[divergence]
    new = torch.where(tokens.mask, tokens.logp, 0.0).detach()
    old = torch.where(tokens.mask, tokens.old_logp, 0.0)
    spent = measured(new, old)
    rising = (tokens.advantage > 0) & (new > old) & (spent > high)
    falling = (tokens.advantage <= 0) & (new < old) & (spent > low)
    return (~(rising | falling)).to(new.dtype)

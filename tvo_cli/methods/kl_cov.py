"""KL-Cov: the few tokens that cost the most entropy are tied to the policy that sampled them.

Cui et al. 2025, The Entropy Mechanism of Reinforcement Learning for Reasoning Language Models, arXiv:2505.22617.
Changes REINFORCE with importance weights at: penalties, reduce.
"""

from __future__ import annotations

from torch import Tensor

from tvo_cli.maths import masked
from tvo_cli.types import Tokens


def kl_cov(tokens: Tokens, *, share: float) -> Tensor:
    """|log π − log π_old| on the `share` of tokens with the largest covariance, 0 elsewhere, [B, T], nats.

    C = (Â − mean Â)(log π − mean log π), means over the tokens of the minibatch, no gradient: a softmax policy's
    entropy changes by −Cov(log π, Â) a unit of natural gradient. The gradient of the term is the sign of the log-ratio,
    0 where π = π_old: nothing acts at the first step of a batch.

    Fidelity: official code (PRIME-RL, and verl's port; the absolute log-ratio is theirs, the paper writes a KL; share
    is a fraction here, a percentage in PRIME-RL; statistics over the minibatch, theirs over each micro-batch).

    Args:
        tokens: the minibatch, or a slice of one.
        share: of the minibatch's tokens; max(1, ⌊share·N⌋) are chosen. 0 chooses none: the base.
    """
    everything = tokens.minibatch
    score = masked.centred_product(everything.advantage, everything.logp.detach(), everything.mask)
    count = max(1, int(share * int(everything.mask.sum()))) if share > 0 else 0
    chosen = tokens.own(masked.largest(score, everything.mask, count))
    return (tokens.logp - tokens.old_logp).abs() * chosen

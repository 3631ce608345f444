"""TVO's micro viscosity: a token that has already moved far in total variation learns more slowly.

TVO (Thermodynamic Variational Optimization), abstract; derivation in docs/tvo.md, section 3 (no arXiv id yet).
Changes REINFORCE at: weight.
"""

from __future__ import annotations

from torch import Tensor

from tvo_cli.maths.divergence import binary_total_variation
from tvo_cli.maths.thermodynamics import logit_susceptibility, mobility
from tvo_cli.types import Tokens


def viscous_mobility(tokens: Tokens, *, delta: float, floor: float) -> Tensor:
    """Weight 1/(1 + (D/(δχ))²), D = |π_θ(a|s) − π_old(a|s)|, χ = π_old(1 − π_old) + floor, [B, T], no unit.

    D/χ is the displacement of the token's logit to first order, so rare and frequent tokens are braked alike;
    a δ in plain probability leaves rare tokens free (docs/decisions/mobility-in-logits.md).

    Fidelity: notes (the paper's abstract fixes the divergence, not this function).

    Args:
        tokens: the minibatch.
        delta: displacement, in nats of logit, at which a token's mobility has halved; infinity recovers weight 1.
        floor: added to χ, in probability, where a token is all but certain or impossible; a floor far above 1
            (with delta divided by it) recovers a mobility in plain probability.
    """
    susceptibility = logit_susceptibility(tokens.old_logp) + floor
    return mobility(binary_total_variation(tokens.logp, tokens.old_logp) / susceptibility, delta)

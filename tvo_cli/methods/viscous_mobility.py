"""TVO's micro viscosity: a token that has already moved far in total variation learns more slowly.

TVO (Thermodynamic Variational Optimization), abstract; derivation in docs/tvo.md, section 3 (no arXiv id yet).
Changes REINFORCE at: weight.
"""

from __future__ import annotations

from torch import Tensor

from tvo_cli.maths.divergence import binary_total_variation
from tvo_cli.maths.thermodynamics import mobility
from tvo_cli.types import Tokens


def viscous_mobility(tokens: Tokens, *, delta: float) -> Tensor:
    """Weight 1/(1 + (D/δ)²) with D = |π_θ(a|s) − π_old(a|s)|, [B, T], no unit.

    Fidelity: notes (the paper's abstract fixes the divergence, not this function).

    Args:
        tokens: the minibatch.
        delta: probability displacement at which a token's mobility has halved; infinity recovers weight 1.
    """
    return mobility(binary_total_variation(tokens.logp, tokens.old_logp), delta)

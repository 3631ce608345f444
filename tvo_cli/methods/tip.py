"""TIP: only tokens learn at which the policy is uncertain, or surely at odds with what it should be.

"Token importance in on-policy distillation", 2026, arXiv:2604.14084. Changes GRPO at: weight; the form
without a teacher is this project's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tvo_cli.maths import masked
from tvo_cli.maths.divergence import kl_k3
from tvo_cli.maths.piece_marks import reads_reference_if
from tvo_cli.types import Tokens

CLIPPED_ABOVE = 0.98  # quantile of the entropies, as in the paper


@reads_reference_if(divergence="reference")
def tip(tokens: Tokens, *, share: float, divergence: str) -> Tensor:
    """N/K on the ⌊share·|o_i|⌋ (at least 1) tokens of each response with the largest Soft-OR score, else 0, [B, T].

    s = ĥ + d̂ − ĥ·d̂: 1 where one of the two is 1. ĥ is the entropy, clipped at its 98th percentile, d̂ the divergence,
    both scaled to [0, 1] over the response tokens of the minibatch; no gradient. K of all N tokens are kept: under the
    token mean the loss is the mean of the kept.

    The divergence is the paper's per-token KL to a teacher only in kind: "reference" estimates the KL to the frozen
    start by k3 (log π_ref is needed of the sampled token alone), "surprise" is |Â|(1 − π), without any second model.

    Fidelity: paper (score, normalisation and share; the paper distils, and its loss is the KL to the teacher; the only
    second model here is the frozen start).

    Args:
        tokens: the whole minibatch.
        share: of each response's tokens; 1 recovers weight 1.
        divergence: "reference", "surprise", or "none": entropy alone, the paper's ablation.
    """
    mask, entropy = tokens.mask, tokens.entropy.detach()
    if not bool(mask.any()):
        return torch.zeros_like(entropy)
    highest = masked.row_quantile(entropy.view(1, -1), mask.view(1, -1), CLIPPED_ABOVE)
    h = masked.scaled_to_unit(torch.minimum(entropy, highest), mask)
    d = masked.scaled_to_unit(_divergence(tokens, divergence), mask)
    kept = _best_of_each_row(h + d - h * d, mask, share)
    return kept * (mask.sum() / kept.sum()).to(entropy.dtype)


def _divergence(tokens: Tokens, kind: str) -> Tensor:
    logp = tokens.logp.detach()
    if kind == "surprise":
        return tokens.advantage.abs() * (1 - logp.exp())
    if kind == "reference" and tokens.ref_logp is not None:
        return kl_k3(logp, tokens.ref_logp)
    return torch.zeros_like(logp)


def _best_of_each_row(score: Tensor, mask: Tensor, share: float) -> Tensor:
    """The tokens of highest score of each response, ties in reading order, 1 or 0."""
    count = (share * mask.sum(1).double() + 1e-9).floor().clamp(min=1)
    order = torch.where(mask, score, -torch.inf).sort(dim=1, descending=True, stable=True).indices
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(mask.shape[1], device=mask.device).expand_as(order))
    return ((rank < count[:, None]) & mask).to(score.dtype)

"""The mismatch of the sampler's log-probabilities and the trainer's, and the truncated weight that corrects it."""

from __future__ import annotations

import torch
from torch import Tensor

from tvo_cli.errors import UserError
from tvo_cli.maths import masked
from tvo_cli.maths.importance_ratio import importance_ratio


def sampler_mismatch(sampler_logp: Tensor, trainer_logp: Tensor, mask: Tensor) -> dict[str, float]:
    """|log π_sampler − log π_trainer| in nats: mean and maximum a token, and the worst sum over a response."""
    gap = torch.where(mask, trainer_logp - sampler_logp, 0.0)
    return {
        "policy/mismatch": float(masked.mean(gap.abs(), mask)),
        "policy/mismatch_max": float(gap.abs().max()),
        "policy/mismatch_response": float(gap.sum(1).abs().max()),
    }


def check_sampler_mismatch(sampler_logp: Tensor, trainer_logp: Tensor, mask: Tensor, limit: float, about: str) -> None:
    """Refuse a batch whose log-probabilities are other ones than the trainer's; nothing has learned from it.

    Raises:
        UserError: mean |log π_sampler − log π_trainer| of a token is above the limit, or no number.
    """
    if limit == float("inf"):
        return
    gap = float(masked.mean((trainer_logp - sampler_logp).abs(), mask))
    if not gap <= limit:
        problem = f"{about}: log π of the responses differ from the trainer's by {gap:.2g} nats a token."
        remedy = "Answers were mixed up, or come from other weights; or allow more, in bfloat16."
        raise UserError("rollout.mismatch_limit", f"{limit:g}", problem, remedy)


def truncated_sampler_correction(sampler_logp: Tensor, trainer_logp: Tensor, mask: Tensor, cap: float) -> Tensor:
    """The weight that corrects the sampler's mismatch: min(π_trainer/π_sampler, cap), 1 on padding, [B, T].

    Truncated importance sampling, Ionides 2008; between engines: Yao et al. 2025. cap = 1 never raises a weight.
    """
    ratio = importance_ratio(torch.where(mask, trainer_logp - sampler_logp, 0.0))
    return ratio.clamp(max=cap)

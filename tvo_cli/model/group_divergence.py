"""TW-GRPO's divergence: how far the next-token distributions of a prompt's responses are apart at each position."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tvo_cli.model.forward_pass.hidden_states import predicting_states
from tvo_cli.model.forward_pass.logprobs import CHUNK_BYTES
from tvo_cli.model.policy import Policy


@torch.no_grad()
def group_divergence(
    policy: Policy, columns: tuple[Tensor, Tensor, Tensor, Tensor], temperature: float, chunk_bytes: int = CHUNK_BYTES
) -> Tensor:
    """D_t of one group, [T], no gradient: `divergence_from_mean_log` of its rows' distributions at each position.

    columns: prompt ids and mask [G, L], response ids and mask [G, T] of one prompt. A row that has ended counts as
    uniform. TW-GRPO, arXiv:2505.24718. No more than `chunk_bytes` of logits are alive at once.
    """
    mask = columns[3]
    states = predicting_states(policy.body, *columns)
    hidden = states.new_zeros(*mask.shape, states.shape[-1]).masked_scatter(mask[..., None], states)
    wide = max(1, chunk_bytes // (4 * len(mask) * int(policy.network.config.get_text_config().vocab_size)))
    parts = []
    for start in range(0, mask.shape[1], wide):
        piece, seen = hidden[:, start : start + wide], mask[:, start : start + wide]
        logits = policy.head(piece.flatten(0, 1)).float() / (temperature or 1.0)
        log_pi = torch.log_softmax(logits, dim=-1).view(*seen.shape, -1)
        parts.append(divergence_from_mean_log(torch.where(seen[..., None], log_pi, -math.log(log_pi.shape[-1]))))
    return torch.cat(parts)


def divergence_from_mean_log(log_pi: Tensor, limit: float = 11.0) -> Tensor:
    """mean_i Σ_v [e^d − d − 1], d = clamp(mean_i log π_i(v) − log π_i(v), ±limit): [G, …, V] → […], ≥ 0.

    TW-GRPO, arXiv:2505.24718, which calls it a KL; the sum over v is unweighted, so that rare words rule it. 0 where
    all distributions are equal.
    """
    d = (log_pi.mean(0, keepdim=True) - log_pi).clamp(-limit, limit)
    return (d.exp() - d - 1).sum(-1).mean(0)

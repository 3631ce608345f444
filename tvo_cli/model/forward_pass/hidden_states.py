"""Hidden states of a backbone at the positions that predict response tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tvo_cli.model.forward_pass import gradient_checkpointing, shared_prefix
from tvo_cli.model.forward_pass.forward_inputs_and_outputs import (
    accepted_arguments,
    output_states,
    token_positions,
    trim_left_padding,
)


def predicting_states(
    body: nn.Module, prompt_ids: Tensor, prompt_mask: Tensor, response_ids: Tensor, mask: Tensor
) -> Tensor:
    """[N, H]: the last hidden state at the position that predicts each True token of `mask`, in row order.

    A `body` that returns logits gives [N, V] instead. Left padding is invisible: masked from attention and not
    counted in positions. Right padding needs no mask, because a causal model never looks ahead. Rows whose prompt is
    the same share one forward of it, and responses of like length go together, where that saves
    enough (`shared_prefix`).
    """
    prompt_ids, prompt_mask = trim_left_padding(prompt_ids, prompt_mask)
    if shared_prefix.is_worth_sharing(body, prompt_ids, prompt_mask, mask):
        return shared_prefix.shared_prefix_states(body, prompt_ids, prompt_mask, response_ids, mask)
    seen = mask.any(0).nonzero()
    last = int(seen.max()) + 1 if len(seen) else 1
    ids = torch.cat([prompt_ids, response_ids[:, : last - 1]], dim=1)
    arguments: dict[str, Any] = {"use_cache": False}
    if not bool(prompt_mask.all()):
        attention = torch.cat([prompt_mask, prompt_mask.new_ones(len(ids), last - 1)], dim=1)
        arguments |= {"attention_mask": attention.long(), "position_ids": token_positions(attention)}
    gradient_checkpointing.recompute_where_gradients_flow(body)
    outputs = body(input_ids=ids, **accepted_arguments(body.forward, arguments))
    return output_states(outputs)[:, prompt_ids.shape[1] - 1 :][mask[:, :last]]

"""log π of chosen tokens of whole sequences: those that supervised fine-tuning learns.

Sequences lie right-padded in a rectangle, or packed: end to end in one row without padding, where each sees itself
only and counts its positions from 0 (sequence_packing.py, with the first token of each in the prompt's place).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from tvo_cli.model.forward_pass import gradient_checkpointing, sequence_packing
from tvo_cli.model.forward_pass.forward_inputs_and_outputs import accepted_arguments, output_states
from tvo_cli.model.forward_pass.shared_prefix import FINE, slices_of_like_length

if TYPE_CHECKING:
    from tvo_cli.model.policy import Policy

Marked = tuple[Sequence[int], Sequence[bool]]  # token ids, and which of them are learned


class TokenSequences(NamedTuple):
    """Sequences of tokens, right-padded, and which tokens are learned."""

    ids: Tensor  # int64 [B, N]
    lengths: Tensor  # int64 [B]
    learned: Tensor  # bool [B, N]; never the first token, which nothing predicts

    @classmethod
    def of(cls, rows: Sequence[Marked], pad_id: int, device: torch.device) -> TokenSequences:
        """Of token ids and of which of them are learned."""
        width = max(len(ids) for ids, _ in rows)
        ids = torch.tensor([[*one, *[pad_id] * (width - len(one))] for one, _ in rows])
        learned = torch.tensor([[*marks, *[False] * (width - len(marks))] for _, marks in rows])
        lengths = torch.tensor([len(one) for one, _ in rows])
        return cls(ids.to(device), lengths.to(device), learned.to(device))


def learned_logprobs(policy: Policy, rows: TokenSequences, *, packed: bool) -> Tensor:
    """log π of each learned token given all before it in its sequence, [M], in row order, differentiable."""
    hidden = _packed_states(policy.body, rows) if packed else _padded_states(policy.body, rows)
    return policy.logprobs_of_states(hidden, rows.ids[rows.learned])


def can_pack_sequences(policy: Policy, longest: int) -> bool:
    """Whether the network takes packed rows of sequences so long, where rollout/decoding/onednn.py is on."""
    return sequence_packing.packs_rows_of(policy.body, longest)


def _padded_states(body: nn.Module, rows: TokenSequences) -> Tensor:
    """The state before each learned token, [M, H]; a causal model never looks ahead, so padding needs no mask."""
    gradient_checkpointing.recompute_where_gradients_flow(body)
    outputs = body(input_ids=rows.ids[:, :-1], **accepted_arguments(body.forward, {"use_cache": False}))
    return output_states(outputs)[rows.learned[:, 1:]]


def _packed_states(body: nn.Module, rows: TokenSequences) -> Tensor:
    """The states for a sequence's log-probabilities, of one row without padding."""
    first, rest, after = rows.ids[:, :1], rows.ids[:, 1:], rows.lengths - 1
    solid = torch.arange(rest.shape[1], device=rest.device) < after[:, None]
    slices = list(slices_of_like_length(after, FINE))
    prompts = first, torch.ones_like(first, dtype=torch.bool)
    which = torch.arange(len(first), device=first.device)
    wanted = rows.learned[:, 1:]
    return sequence_packing.packed_predicting_states(body, prompts, which, (rest, solid), slices, wanted)

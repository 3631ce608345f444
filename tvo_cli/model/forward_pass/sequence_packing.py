"""Sequence packing: prompts and responses end to end in one row, each prompt once; attention is given the layout.

The network's own forward runs over a row of tokens; only its attention is told, through the keywords that
transformers hands down to it, where which prompt and which response lies (packed_layout.py). Layers that are recomputed
in the backward pass get the same keywords again, so gradient checkpointing needs nothing of its own. A network that
does not hand the layout down is found out by one small forward against the plain one; an attention of another kind
(soft caps, windows) refuses it itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from tvo_cli.model.forward_pass import forward_inputs_and_outputs, gradient_checkpointing, packed_attention_kernels
from tvo_cli.model.forward_pass.forward_inputs_and_outputs import token_positions
from tvo_cli.model.forward_pass.packed_attention_kernels import (
    GPU_ATTENTION,
    LAYOUT_KEYWORD,
    TOLERANCES,
    AttentionHeads,
)
from tvo_cli.model.forward_pass.packed_layout import MaskedLayout, PackedLayout, PackedSlice, VarlenSequences

ATTENTION = (
    "tvo_sdpa"  # the attention that follows the layout on a CPU (rollout/decoding/onednn.py), as transformers knows it
)
LONGEST = 1024  # keys up to which a CPU keeps weights [B, heads, T, S] for the backward pass
TOKENS = 16  # slices are padded to multiples of them: products on a CPU are prepared anew for every new shape
ROW = 64  # the row's length is a multiple of it
TOLERANCE = 1e-4  # of a CPU, relative, whatever the weights' precision
Pieces = type[MaskedLayout] | type[VarlenSequences]

_checked: WeakKeyDictionary[nn.Module, dict[tuple[torch.device, torch.dtype], Pieces | None]] = WeakKeyDictionary()


class PackedRow(NamedTuple):
    """Prompts and responses in one row of N tokens."""

    tokens: Tensor  # int64 [N]
    places: Tensor  # int64 [N], the position of each in its own text
    before: Tensor  # int64 [B, T], where in the row the state that predicts a response token lies
    layout: PackedLayout


def packed_predicting_states(
    body: nn.Module,
    prompts: tuple[Tensor, Tensor],
    which: Tensor,
    responses: tuple[Tensor, Tensor],
    slices: Sequence[Tensor],
    wanted: Tensor | None = None,
) -> Tensor:
    """[N, H]: the state that predicts each True token of the responses' mask, or of `wanted`, in row order.

    prompts: ids and left-padded mask [P, W]; which [B]: each response's prompt; responses: ids and solid mask [B, T];
    slices: row numbers of responses of like length.
    """
    pieces = packing_pieces(body)
    if pieces is None:
        raise ValueError("the network does not take packed rows")
    wanted = responses[1] if wanted is None else wanted
    return _packed_states(
        body, packed_row(prompts, which, responses, slices, _slice_padding_step(pieces)), wanted, pieces
    )


def packed_row(
    prompts: tuple[Tensor, Tensor], which: Tensor, responses: tuple[Tensor, Tensor], slices: Sequence[Tensor], step: int
) -> PackedRow:
    """Pack prompts and responses into the row of `packed_predicting_states`; a slice is padded to `step`s."""
    ids, mask = responses
    tokens, places, made = [prompts[0].flatten()], [token_positions(prompts[1]).flatten()], []
    before = torch.full(mask.shape, -1, device=ids.device)
    width, begin, starts = prompts[0].shape[1], prompts[0].numel(), prompts[1].sum(1)
    before[:, 0] = which * width + width - 1
    for rows in slices:
        own = (mask[rows].sum(1) - 1).clamp(min=0)  # nothing follows the last token
        longest = int(own.max())
        if longest < 1:
            continue
        length = -(-longest // step) * step
        offsets = torch.arange(length, device=ids.device)
        tokens.append(nn.functional.pad(ids[rows], (0, max(0, length - ids.shape[1])))[:, :length].flatten())
        places.append((starts[which[rows]][:, None] + offsets).flatten())
        at = begin + torch.arange(len(rows), device=ids.device)[:, None] * length + offsets
        before[rows, 1 : longest + 1] = at[:, :longest]
        made.append(PackedSlice(begin, length, which[rows], own))
        begin += len(rows) * length
    return PackedRow(torch.cat(tokens), torch.cat(places), before, PackedLayout(prompts[1], tuple(made)))


def _slice_padding_step(pieces: Pieces) -> int:
    return TOKENS if pieces is MaskedLayout else 1


def _packed_states(body: nn.Module, row: PackedRow, mask: Tensor, pieces: Pieces) -> Tensor:
    found = _forward_packed(body, row.tokens, row.places, pieces.of(row.layout))
    return found[0].index_select(0, row.before[mask])


def _forward_packed(body: nn.Module, row: Tensor, at: Tensor, pieces: MaskedLayout | VarlenSequences) -> Tensor:
    """States [1, N, H] of a row of tokens and their positions, padded to a multiple of ROW."""
    gradient_checkpointing.recompute_where_gradients_flow(body)
    ids, places = (nn.functional.pad(x, (0, -len(row) % ROW))[None] for x in (row, at))
    # Transformers passes a mask of four dimensions on as it is. This one fits no row: an attention that does not know
    # of the layout, such as one set between a forward and its recomputation, fails instead of seeing everything.
    unused = ids.new_ones(1, 1, 1, 2, dtype=torch.bool)
    outputs = body(
        input_ids=ids, position_ids=places, attention_mask=unused, use_cache=False, **{LAYOUT_KEYWORD: pieces}
    )
    return forward_inputs_and_outputs.output_states(outputs)


def packs_rows_of(body: nn.Module, length: int) -> bool:
    """Whether rows of so many tokens go into one packed row.

    A CPU's attention keeps weights of every layer, so that long rows are left out there, unless layers are recomputed.
    """
    short = length <= LONGEST or _attention_name(body) == GPU_ATTENTION
    return (short or gradient_checkpointing.uses_gradient_checkpointing(body)) and supports_packing(body)


def supports_packing(body: nn.Module) -> bool:
    """Whether the network hands the layout down to our attention: tried once, where ours is on."""
    return packing_pieces(body) is not None


def packing_pieces(body: nn.Module) -> Pieces | None:
    """What the network's attention takes a layout as; None where it takes none."""
    if _attention_name(body) not in (ATTENTION, GPU_ATTENTION):
        return None
    like = next(p for p in body.parameters() if p.is_floating_point())
    place = like.device, packed_attention_kernels.attention_dtype(like)
    known = _checked.setdefault(body, {})
    if place not in known:
        known[place] = _chosen_pieces(body, like.dtype, *place)
    return known[place]


def _attention_name(body: nn.Module) -> str:
    """Which attention a backbone uses, to know whether sequences can be packed for it."""
    return str(getattr(getattr(body, "config", None), "_attn_implementation", ""))


def _chosen_pieces(body: nn.Module, stored: torch.dtype, device: torch.device, computed: torch.dtype) -> Pieces | None:
    """Masked pieces, tried in the weights' own precision; sequences where a kernel for them gives the same."""
    on_gpu = _attention_name(body) == GPU_ATTENTION
    whole = (
        packed_attention_kernels.attention_matmul_precision("highest") if on_gpu else nullcontext()
    )  # TF32 errs by more than 1e-4
    with torch.autocast(device.type, enabled=False), whole:
        if not _gives_plain_states(body, MaskedLayout, TOLERANCES[stored] if on_gpu else TOLERANCE):
            return None
    kernel = on_gpu and packed_attention_kernels.has_varlen_kernel(device, computed, AttentionHeads.of(body.config))
    return (
        VarlenSequences if kernel and _gives_plain_states(body, VarlenSequences, TOLERANCES[computed]) else MaskedLayout
    )


@torch.no_grad()
def _gives_plain_states(body: nn.Module, pieces: Pieces, tolerance: float) -> bool:
    """Whether four small rows, packed, have the states of the plain forward."""
    device = next(body.parameters()).device
    ids = (torch.arange(24, device=device) % 7 + 1).view(4, 6)
    prompts, mask = ids[:2, :3], torch.tensor([[False, True, True], [True, True, True]], device=device)
    which, answers = torch.tensor([0, 0, 1, 1], device=device), torch.ones(4, 6, dtype=torch.bool, device=device)
    try:
        row = packed_row((prompts, mask), which, (ids, answers), [torch.arange(4, device=device)], 1)
        mine = _packed_states(body, row, answers, pieces)
        whole = torch.cat([prompts[which], ids[:, :-1]], dim=1)
        seen = torch.cat([mask[which], answers[:, :-1]], dim=1)
        outputs = body(input_ids=whole, attention_mask=seen.long(), position_ids=token_positions(seen), use_cache=False)
    except Exception:  # whatever it stumbles over, it does not understand
        return False
    theirs = forward_inputs_and_outputs.output_states(outputs)[:, 2:].flatten(0, 1)
    return packed_attention_kernels.attention_agrees(mine, theirs, tolerance)

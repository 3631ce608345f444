"""Sequence packing: prompts and responses end to end in one row, each prompt once; attention is given the layout.

The network's own forward runs over a row of tokens; only its attention is told, through the keywords that
transformers hands down to it, which positions are which prompt's and which response's (`PackedLayout`). Prompts see
themselves, responses their prompt and themselves. A network that does not hand the layout down is found out by one
small forward against the plain one; an attention of another kind (soft caps, windows) refuses them itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from tvo_cli.model import forward_inputs_and_outputs
from tvo_cli.model.forward_inputs_and_outputs import token_positions

ATTENTION = "tvo_sdpa"  # the attention that follows the layout (rollout/onednn.py), as transformers knows it
LAYOUT_KEYWORD = "packed_layout"  # the keyword that attention is handed the layout by
LONGEST = 1024  # keys up to which weights [B, heads, T, S] may be kept for the backward pass
ROW = 64  # the row's length is a multiple of it
TOLERANCE = 1e-4
Attention = Callable[[Tensor, Tensor, Tensor, Tensor, float | None], Tensor]

_checked: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class PackedSlice:
    """Responses of like length, padded to one."""

    begin: int  # of their tokens in the row
    prompts: Tensor  # int64 [b], whose responses they are
    mask: Tensor  # bool [b, 1, T, W + T], what a token sees of its prompt and of its response

    @property
    def shape(self) -> tuple[int, int]:
        """b, T."""
        return self.mask.shape[0], self.mask.shape[2]


@dataclass(frozen=True, slots=True)
class PackedLayout:
    """Where the row's parts lie: P prompts of W tokens, then the slices, then padding."""

    prompt_mask: Tensor  # bool [P, 1, W, W]
    slices: tuple[PackedSlice, ...]

    def attend(self, query: Tensor, key: Tensor, value: Tensor, scaling: float | None, attention: Attention) -> Tensor:
        """Attention of one row, query [1, h, N, D], key and value [1, k, N, D] → [1, N, h, D]."""
        count, width = len(self.prompt_mask), self.prompt_mask.shape[-1]
        q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))
        kp, vp = (_unpacked_rows(x[: count * width], count) for x in (k, v))
        found = [attention(_unpacked_rows(q[: count * width], count), kp, vp, self.prompt_mask, scaling)]
        end = count * width
        for one in self.slices:
            rows, length = one.shape
            end = one.begin + rows * length
            own = [_unpacked_rows(x[one.begin : end], rows) for x in (q, k, v)]
            keys, values = (
                torch.cat([shared.index_select(0, one.prompts), new], dim=2)
                for shared, new in ((kp, own[1]), (vp, own[2]))
            )
            found.append(attention(own[0], keys, values, one.mask, scaling))
        flat = [x.flatten(0, 1) for x in found]
        flat.append(q.new_zeros(len(q) - end, *q.shape[1:]))
        return torch.cat(flat)[None]


def _unpacked_rows(tokens: Tensor, rows: int) -> Tensor:
    """[rows·T, heads, D] → [rows, heads, T, D]."""
    return tokens.view(rows, -1, *tokens.shape[1:]).transpose(1, 2)


def packed_predicting_states(
    body: nn.Module,
    prompts: tuple[Tensor, Tensor],
    which: Tensor,
    responses: tuple[Tensor, Tensor],
    slices: Sequence[Tensor],
    step: int,
) -> Tensor:
    """[N, H]: the state that predicts each True token of the responses' mask, in row order.

    prompts: ids and left-padded mask [P, W]; which [B]: each response's prompt; responses: ids and solid mask [B, T];
    slices: row numbers of responses of like length, each padded to a multiple of `step` tokens.
    """
    ids, mask = responses
    tokens, places, made = [prompts[0].flatten()], [token_positions(prompts[1]).flatten()], []
    before = torch.full(mask.shape, -1, device=ids.device)  # where in the row the state before each token lies
    width = prompts[0].shape[1]
    begin, starts = prompts[0].numel(), prompts[1].sum(1)
    before[:, 0] = which * width + width - 1
    for rows in slices:
        longest = int(mask[rows].sum(1).max()) - 1  # nothing follows the last token
        if longest < 1:
            continue
        length = -(-longest // step) * step
        offsets = torch.arange(length, device=ids.device)
        tokens.append(nn.functional.pad(ids[rows], (0, max(0, length - ids.shape[1])))[:, :length].flatten())
        places.append((starts[which[rows]][:, None] + offsets).flatten())
        at = begin + torch.arange(len(rows), device=ids.device)[:, None] * length + offsets
        before[rows, 1 : longest + 1] = at[:, :longest]
        made.append(PackedSlice(begin, which[rows], _packed_attention_mask(prompts[1][which[rows]], length)))
        begin += len(rows) * length
    causal = torch.ones(width, width, dtype=torch.bool, device=ids.device).tril()
    pieces = PackedLayout((causal & prompts[1][:, None, :])[:, None], tuple(made))
    row, at = torch.cat(tokens), torch.cat(places)
    spare = -len(row) % ROW
    found = _forward_packed(
        body, nn.functional.pad(row, (0, spare))[None], nn.functional.pad(at, (0, spare))[None], pieces
    )
    return found[0].index_select(0, before[mask])


def _packed_attention_mask(prompt_mask: Tensor, length: int) -> Tensor:
    """[b, W] → [b, 1, T, W + T]: the prompt's tokens, and the response's up to oneself."""
    own = torch.ones(length, length, dtype=torch.bool, device=prompt_mask.device).tril()
    rows = len(prompt_mask)
    both = [prompt_mask[:, None, :].expand(rows, length, -1), own.expand(rows, length, length)]
    return torch.cat(both, dim=-1)[:, None]


def _forward_packed(body: nn.Module, ids: Tensor, places: Tensor, pieces: PackedLayout) -> Tensor:
    unused = ids.new_ones(1, 1, 1, 1, dtype=torch.bool)  # a mask that transformers passes on as it is
    outputs = body(
        input_ids=ids, position_ids=places, attention_mask=unused, use_cache=False, **{LAYOUT_KEYWORD: pieces}
    )
    return forward_inputs_and_outputs.output_states(outputs)


def supports_packing(body: nn.Module) -> bool:
    """Whether the network hands the layout down to our attention: tried once, where ours is on."""
    config = getattr(body, "config", None)
    if str(getattr(config, "_attn_implementation", "")) != ATTENTION:
        return False
    if body not in _checked:
        _checked[body] = _supports_packed_attention(body)
    return _checked[body]


@torch.no_grad()
def _supports_packed_attention(body: nn.Module) -> bool:
    device = next(body.parameters()).device
    ids = (torch.arange(24, device=device) % 7 + 1).view(4, 6)
    prompts, mask = ids[:2, :3], torch.tensor([[False, True, True], [True, True, True]], device=device)
    which, answers = torch.tensor([0, 0, 1, 1], device=device), torch.ones(4, 6, dtype=torch.bool, device=device)
    try:
        mine = packed_predicting_states(
            body, (prompts, mask), which, (ids, answers), [torch.arange(4, device=device)], 1
        )
        whole = torch.cat([prompts[which], ids[:, :-1]], dim=1)
        seen = torch.cat([mask[which], answers[:, :-1]], dim=1)
        outputs = body(input_ids=whole, attention_mask=seen.long(), position_ids=token_positions(seen), use_cache=False)
    except Exception:  # whatever it stumbles over, it does not understand
        return False
    theirs = forward_inputs_and_outputs.output_states(outputs)[:, 2:].flatten(0, 1)
    return mine.shape == theirs.shape and bool((mine - theirs).abs().max() <= TOLERANCE * theirs.abs().max())

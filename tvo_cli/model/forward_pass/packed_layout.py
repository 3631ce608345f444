"""The layout of a packed row: where prompts and responses lie in it, as rectangles with masks, or by sequence.

A prompt sees itself, a response its prompt and itself, both causally. `MaskedLayout` cuts the row into rectangles with
masks, for attention that knows rectangles only. `VarlenSequences` names each sequence's tokens, for kernels that take
sequences of unlike length; a response's keys are its prompt's, gathered, and its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

MaskedAttention = Callable[[Tensor, Tensor, Tensor, Tensor, float | None], Tensor]
VarlenAttention = Callable[..., Any]  # torch.nn.attention.varlen.varlen_attn, or one with its signature


@dataclass(frozen=True, slots=True)
class PackedSlice:
    """Responses of like length, padded to one."""

    begin: int  # of their tokens in the row
    length: int  # T, that each is padded to
    prompts: Tensor  # int64 [b], whose responses they are
    tokens: Tensor  # int64 [b], of each that are no padding


@dataclass(frozen=True, slots=True)
class PackedLayout:
    """Where the row's parts lie: P prompts, left-padded to W tokens, then the slices, then padding."""

    prompt_mask: Tensor  # bool [P, W]
    slices: tuple[PackedSlice, ...]


@dataclass(frozen=True, slots=True)
class MaskedLayout:
    """A packed layout as rectangles with masks: the prompts, then each slice with its prompts' keys before its own."""

    layout: PackedLayout
    prompt_mask: Tensor  # bool [P, 1, W, W], what a token of a prompt sees
    masks: tuple[Tensor, ...]  # bool [b, 1, T, W + T] a slice, what a token sees of its prompt and of its response

    @classmethod
    def of(cls, layout: PackedLayout) -> MaskedLayout:
        """The masks of a layout."""
        causal = _causal_mask(layout.prompt_mask.shape[1], layout.prompt_mask)
        alone = torch.eye(len(causal), dtype=torch.bool, device=causal.device)  # no query may be without a key
        seen = (causal & layout.prompt_mask[:, None, :]) | alone
        return cls(layout, seen[:, None], tuple(_slice_mask(layout.prompt_mask, one) for one in layout.slices))

    @property
    def longest(self) -> int:
        """Keys that a query may have, padding included."""
        return max([self.prompt_mask.shape[-1], *(mask.shape[-1] for mask in self.masks)])

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, scaling: float | None, attention: MaskedAttention
    ) -> Tensor:
        """Attention of one row, query [1, h, N, D], key and value [1, k, N, D] → [1, N, h, D]; 0 on the padding."""
        count, width = self.layout.prompt_mask.shape
        q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))
        kp, vp = (_unpacked_rows(x[: count * width], count) for x in (k, v))
        found = [attention(_unpacked_rows(q[: count * width], count), kp, vp, self.prompt_mask, scaling)]
        end = count * width
        for one, mask in zip(self.layout.slices, self.masks, strict=True):
            rows = len(one.prompts)
            end = one.begin + rows * one.length
            own = [_unpacked_rows(x[one.begin : end], rows) for x in (q, k, v)]
            keys, values = (
                torch.cat([shared.index_select(0, one.prompts), new], dim=2)
                for shared, new in ((kp, own[1]), (vp, own[2]))
            )
            found.append(attention(own[0], keys, values, mask, scaling))
        flat = [x.flatten(0, 1) for x in found]
        flat.append(found[0].new_zeros(len(q) - end, *found[0].shape[2:]))
        return torch.cat(flat)[None]


@dataclass(frozen=True, slots=True)
class VarlenSequences:
    """A layout as sequences without padding, in the terms of kernels for sequences of unlike length.

    Sequence s has the queries cu_seq_lens_q[s] … cu_seq_lens_q[s + 1] − 1 of those gathered, and keys likewise; its
    last query sees its last key. Prompts come first, then the responses in the order of their slices.
    """

    queries: Tensor  # int64 [Q], where in the row the gathered queries lie
    keys: Tensor  # int64 [K], likewise; a prompt's tokens once for itself and once for each of its responses
    cu_seq_lens_q: Tensor  # int32 [S + 1]
    cu_seq_lens_k: Tensor  # int32 [S + 1]
    max_length_q: int
    max_length_k: int

    @classmethod
    def of(cls, layout: PackedLayout) -> VarlenSequences:
        """The sequences of a layout; responses without a token in the row are left out."""
        count, width = layout.prompt_mask.shape
        device, tokens = layout.prompt_mask.device, layout.prompt_mask.sum(1)
        starts = torch.arange(count, device=device) * width + width - tokens  # behind the left padding
        none = torch.zeros_like(tokens)
        own, shared = [(starts, tokens)], [(none, none)]
        for one in layout.slices:
            at = one.begin + one.length * torch.arange(len(one.prompts), device=device)
            own.append((at, one.tokens))
            shared.append((starts[one.prompts], tokens[one.prompts]))
        (begins, lengths), (before, more) = (tuple(map(torch.cat, zip(*each, strict=True))) for each in (own, shared))
        there = lengths > 0
        begins, lengths, before, more = (x[there] for x in (begins, lengths, before, more))
        pairs = torch.stack([before, begins], 1).flatten(), torch.stack([more, lengths], 1).flatten()
        whole = lengths + more
        return cls(
            *(token_ranges(begins, lengths), token_ranges(*pairs), _bounds(lengths), _bounds(whole)),
            *(int(lengths.max()), int(whole.max())),
        )

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, scaling: float | None, attention: VarlenAttention
    ) -> Tensor:
        """Attention of one row, query [1, h, N, D], key and value [1, k, N, D] → [1, N, h, D]; 0 on the padding."""
        q, k, v = (
            x[0].transpose(0, 1).index_select(0, places)
            for x, places in ((query, self.queries), (key, self.keys), (value, self.keys))
        )
        found: Tensor = attention(
            *(q, k, v, self.cu_seq_lens_q, self.cu_seq_lens_k, self.max_length_q, self.max_length_k),
            scale=scaling,
            window_size=(-1, 0),  # causal
            enable_gqa=q.shape[1] != k.shape[1],
        )
        return found.new_zeros(query.shape[2], *found.shape[1:]).index_copy(0, self.queries, found)[None]


def token_ranges(starts: Tensor, lengths: Tensor) -> Tensor:
    """start, start + 1, … of each range, one after the other: [S], [S] → [Σ lengths]."""
    ahead = lengths.cumsum(0) - lengths  # of all ranges before
    return torch.arange(int(lengths.sum()), device=starts.device) + (starts - ahead).repeat_interleave(lengths)


def _bounds(lengths: Tensor) -> Tensor:
    """Where each sequence of a layout begins and ends, 0 and the running sums of lengths: [S] → int32 [S + 1]."""
    return torch.nn.functional.pad(lengths.cumsum(0), (1, 0)).int()


def _causal_mask(length: int, like: Tensor) -> Tensor:
    """The mask by which a token of a layout's part sees itself and those before it, bool [T, T]."""
    return torch.ones(length, length, dtype=torch.bool, device=like.device).tril()


def _slice_mask(prompt_mask: Tensor, one: PackedSlice) -> Tensor:
    """The mask of a layout's slice, [b, 1, T, W + T]: the prompt's tokens, and the response's up to oneself."""
    seen = prompt_mask[one.prompts]
    both = [x.expand(len(seen), one.length, -1) for x in (seen[:, None, :], _causal_mask(one.length, seen))]
    return torch.cat(both, dim=-1)[:, None]


def _unpacked_rows(tokens: Tensor, rows: int) -> Tensor:
    """The rows of a layout's rectangle out of the packed one: [rows·T, heads, D] → [rows, heads, T, D]."""
    return tokens.view(rows, -1, *tokens.shape[1:]).transpose(1, 2)

"""What `torch.nn.attention.varlen.varlen_attn` computes, sequence by sequence with plain products, on any device."""

from __future__ import annotations

import inspect
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.varlen import varlen_attn

CAUSAL = (-1, 0)


def varlen_by_sequence(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seq_q: Tensor,
    cu_seq_k: Tensor,
    max_q: int,
    max_k: int,
    *,
    scale: float | None = None,
    window_size: tuple[int, int] = (-1, -1),
    enable_gqa: bool = False,
) -> Tensor:
    """[Q, h, D], [K, k, D] → [Q, h, D]; causal: the last query of a sequence sees its last key."""
    check_as_the_kernel_does(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, window_size, enable_gqa)
    keys, values = (x.repeat_interleave(query.shape[1] // x.shape[1], dim=1) for x in (key, value))
    ends = zip(pairwise(cu_seq_q.tolist()), pairwise(cu_seq_k.tolist()), strict=True)
    return torch.cat([attention(query[q:r], keys[k:m], values[k:m], scale) for (q, r), (k, m) in ends])


def attention(query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
    """Of one sequence."""
    weights = torch.einsum("qhd,khd->hqk", query, key) * (query.shape[-1] ** -0.5 if scale is None else scale)
    unseen = torch.ones(len(query), len(key), dtype=torch.bool).triu(len(key) - len(query) + 1)
    return torch.einsum("hqk,khd->qhd", weights.masked_fill(unseen, float("-inf")).softmax(-1), value)


def check_as_the_kernel_does(
    query: Tensor, key: Tensor, value: Tensor, cu_q: Tensor, cu_k: Tensor, max_q: int, max_k: int, *others: Any
) -> None:
    """What FlashAttention takes, and that torch's own function has these parameters."""
    window_size, enable_gqa = others
    known = {"scale": None, "window_size": window_size, "enable_gqa": enable_gqa}
    inspect.signature(varlen_attn).bind(query, key, value, cu_q, cu_k, max_q, max_k, **known)
    assert window_size == CAUSAL and enable_gqa is (query.shape[1] != key.shape[1])
    assert query.dtype == key.dtype == value.dtype and cu_q.dtype == cu_k.dtype == torch.int32
    assert all(x.stride(-1) == 1 and x.dim() == 3 for x in (query, key, value))
    assert (int(cu_q[0]), int(cu_q[-1]), int(cu_k[0]), int(cu_k[-1])) == (0, len(query), 0, len(key))
    assert (int(cu_q.diff().max()), int(cu_k.diff().max())) == (max_q, max_k)

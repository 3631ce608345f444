"""Attention kernels for packed rows on a GPU, by the layout that transformers hands down; else transformers' SDPA.

Two kernels follow a layout: FlashAttention for sequences of unlike length, which torch carries
(`torch.nn.attention.varlen`, numbers of two bytes), and SDPA over padded pieces with masks. The first is tried once a
device, precision and shape of heads, forward and gradients, against the second. Neither has run on a GPU yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from tvo_cli.model.forward_pass.packed_layout import (
    MaskedLayout,
    PackedLayout,
    PackedSlice,
    VarlenAttention,
    VarlenSequences,
)

GPU_ATTENTION = "tvo_packed"  # the attention that follows the layout on a GPU, as transformers knows it
GPUS = ("cuda",)  # ROCm's are called so too
LAYOUT_KEYWORD = "packed_layout"  # the keyword that attention is handed the layout by
VARLEN_DTYPES = (torch.float16, torch.bfloat16)  # that FlashAttention computes in
TOLERANCES = {torch.float64: 1e-4, torch.float32: 1e-4, torch.float16: 5e-3, torch.bfloat16: 3e-2}  # relative


class AttentionHeads(NamedTuple):
    """The heads of an attention, for which a kernel is tried."""

    heads: int  # of queries
    shared: int  # of keys and values
    width: int  # numbers a head

    @classmethod
    def of(cls, config: Any) -> AttentionHeads:
        """Of a transformers config."""
        config = config.get_text_config()
        heads = int(config.num_attention_heads)
        shared = int(getattr(config, "num_key_value_heads", None) or heads)
        return cls(heads, shared, int(getattr(config, "head_dim", None) or config.hidden_size // heads))


@lru_cache(maxsize=1)
def register_gpu_attention() -> None:
    """Make this attention known to transformers."""
    AttentionInterface.register(GPU_ATTENTION, _attention_forward)
    AttentionMaskInterface.register(GPU_ATTENTION, sdpa_mask)


def is_causal_softmax(mask: Tensor | None, keywords: dict[str, Any]) -> bool:
    """Whether attention is causal softmax attention and nothing else."""
    others = keywords.get("dropout") or keywords.get("softcap") or keywords.get("position_bias") is not None
    return not others and keywords.get("is_causal") is not False and (mask is None or mask.dtype == torch.bool)


def require_packable(mask: Tensor | None, keywords: dict[str, Any]) -> None:
    """Refuse a call of another kind of attention than the kernels compute; outputs alone might not tell them apart."""
    others = keywords.get("sliding_window") or keywords.get("s_aux") is not None
    if others or not is_causal_softmax(mask, keywords):
        raise ValueError("packed sequences need causal softmax attention")


def _attention_forward(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **keywords: Any
) -> tuple[Tensor, None]:
    pieces = keywords.pop(LAYOUT_KEYWORD, None)
    if pieces is None:
        found: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **keywords)
        return found
    require_packable(attention_mask, keywords)
    return attend_packed(pieces, query, key, value, keywords.get("scaling")), None


def attend_packed(
    pieces: MaskedLayout | VarlenSequences, query: Tensor, key: Tensor, value: Tensor, scaling: float | None
) -> Tensor:
    """Attention of one row, [1, N, h, D], by the kernel that the pieces are for."""
    if isinstance(pieces, MaskedLayout):
        return pieces.attend(query, key, value, scaling, masked_sdpa)
    dtype = attention_dtype(query)  # no operator that autocast knows
    kernel: VarlenAttention = varlen_attn  # it returns more where that is asked for
    return pieces.attend(query.to(dtype), key.to(dtype), value.to(dtype), scaling, kernel)


def masked_sdpa(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scaling: float | None = None) -> Tensor:
    """softmax(q kᵀ · scaling) v: query [B, h, T, D], key and value [B, k, S, D], mask bool [B, 1, T, S] → [B, T, h, D].

    Keys are repeated for the query heads that share them: SDPA's kernels for a mask take no other number of heads.
    """
    folds = query.shape[1] // key.shape[1]
    keys, values = (x if folds == 1 else x.repeat_interleave(folds, dim=1) for x in (key, value))
    found = torch.nn.functional.scaled_dot_product_attention(query, keys, values, attn_mask=mask, scale=scaling)
    return found.transpose(1, 2)


def attention_dtype(like: Tensor) -> torch.dtype:
    """The dtype of products of such tensors: autocast's, where it is on."""
    kind = like.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else like.dtype


@contextmanager
def attention_matmul_precision(precision: str) -> Iterator[None]:
    """Inside, packed attention's float32 products have this precision, one of PyTorch's words for it."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@lru_cache(maxsize=64)
def has_varlen_kernel(device: torch.device, dtype: torch.dtype, shape: AttentionHeads) -> bool:
    """Whether FlashAttention gives SDPA's output and gradients on a small row: tried once."""
    if dtype not in VARLEN_DTYPES:
        return False
    layout = _sample_layout(device)
    kinds = VarlenSequences, MaskedLayout
    try:
        found, exact = (_output_and_gradients(kind.of(layout), device, dtype, shape) for kind in kinds)
    except Exception:  # whatever it stumbles over, it is not for this device
        return False
    return all(attention_agrees(mine, theirs, TOLERANCES[dtype]) for mine, theirs in zip(found, exact, strict=True))


def attention_agrees(mine: Tensor, theirs: Tensor, tolerance: float) -> bool:
    """Whether two results differ by no more than a share of the largest number."""
    return mine.shape == theirs.shape and bool((mine - theirs).abs().max() <= tolerance * theirs.abs().max())


def _sample_layout(device: torch.device) -> PackedLayout:
    """Prompts of 2 and 3 tokens, responses of 4, 1 and 3."""
    seen = torch.tensor([[False, True, True], [True, True, True]], device=device)
    which, tokens = torch.tensor([0, 1, 1], device=device), torch.tensor([4, 1, 3], device=device)
    return PackedLayout(seen, (PackedSlice(6, 4, which, tokens),))


@torch.enable_grad()
def _output_and_gradients(
    pieces: MaskedLayout | VarlenSequences, device: torch.device, dtype: torch.dtype, shape: AttentionHeads
) -> list[Tensor]:
    """Of the row's real tokens, and what a sum over them gives queries, keys and values."""
    rng = torch.Generator().manual_seed(0)
    numbers = [torch.randn(1, heads, 18, shape.width, generator=rng) for heads in (shape[0], shape[1], shape[1])]
    leaves = [x.to(device, dtype).requires_grad_() for x in numbers]
    real = VarlenSequences.of(_sample_layout(device)).queries
    found = attend_packed(pieces, leaves[0], leaves[1], leaves[2], None)[0].index_select(0, real)
    weight = torch.randn(found.shape, generator=rng).to(device, dtype)
    return [found, *torch.autograd.grad((found * weight).sum(), leaves)]

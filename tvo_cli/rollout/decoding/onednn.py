"""oneDNN on CPUs: faster fp32 matrix products, where they keep fp32's accuracy; and attention written as such products.

The attention stands on its own: packed rows and fused decoding work with PyTorch's default products as with oneDNN's.

PyTorch's "medium" precision sends fp32 products to oneDNN: about twice as fast on AVX-512, as accurate there, but
rounded to bf16 on a CPU with AMX; so the error of one product is measured first. Attention needs care: while decoding,
oneDNN would build a primitive for every new cache length, and SDPA's backward pass becomes slower by it. So attention
keeps the default products where there is no gradient, and is written out as plain products, faster than SDPA, where
there is one or where one token is decoded, unless the keys are many. Decoding over an even number of keys, which the
cache then keeps (`kv_cache.PaddedLayer`), has few shapes and goes through oneDNN too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from tvo_cli.model.forward_pass.packed_attention_kernels import (
    GPU_ATTENTION,
    GPUS,
    LAYOUT_KEYWORD,
    attention_matmul_precision,
    is_causal_softmax,
    masked_sdpa,
    register_gpu_attention,
    require_packable,
)
from tvo_cli.model.forward_pass.sequence_packing import ATTENTION, LONGEST, TOKENS
from tvo_cli.rollout.decoding.kv_cache import PADDED_TO

PRECISION = "medium"  # PyTorch's word for: fp32 products may go through oneDNN
TOLERANCE = 1e-5  # relative; a product rounded to bf16 errs by 4e-3
WIDTH = 256
LARGE = 1_000_000  # parameters from which quicker products gain; below, a run's bits stay what they were
KEPT = 2**20  # numbers of a bias that is kept for the next layer: 16 of them, 64 MB at most
UNSEEN = -1e30  # finite: a query that sees no key, on padding, must not turn into nan


@contextmanager
def onednn_matmul(*networks: Any, least: int = 0, products: bool = True) -> Iterator[bool]:
    """Inside: attention as the module says, products through oneDNN if `products`. Yields whether products are.

    Networks of fewer than `least` parameters are not meant: their products are too small to gain.
    """
    with packed_attention(*networks, least=least) as chosen:
        on_cpu = any(network.config._attn_implementation == ATTENTION for network in chosen)
        if not (on_cpu and products and onednn_keeps_accuracy()):
            yield False
            return
        with attention_matmul_precision(PRECISION):
            yield True


@contextmanager
def packed_attention(*networks: Any, least: int = 0) -> Iterator[list[Any]]:
    """Inside: the networks for which it is meant attend through our attention, whatever the products. Yields these."""
    chosen = {network: name for network in networks if (name := attention_of_packed_rows(network, least))}
    register_onednn_attention()
    register_gpu_attention()
    for network, name in chosen.items():
        network.set_attn_implementation(name)
    try:
        yield list(chosen)
    finally:
        for network in chosen:
            network.set_attn_implementation("sdpa")


def attention_of_packed_rows(network: Any, least: int = 0) -> str | None:
    """The attention by oneDNN's products that a network takes in place of SDPA; None: too small, or elsewhere."""
    parameters = list(network.parameters())
    if str(network.config._attn_implementation) != "sdpa" or sum(p.numel() for p in parameters) < least:
        return None
    kind = parameters[0].device.type
    return ATTENTION if kind == "cpu" else GPU_ATTENTION if kind in GPUS else None


@lru_cache(maxsize=1)
def register_onednn_attention() -> None:
    """Make our attention known to transformers."""
    AttentionInterface.register(ATTENTION, _attention_forward)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)


def _attention_forward(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **keywords: Any
) -> tuple[Tensor, None]:
    """Plain products where gradients flow through oneDNN or one token is decoded, else transformers' own SDPA.

    With default products SDPA is as fast where gradients flow, and keeps no weights for the backward pass.
    """
    if (pieces := keywords.get(LAYOUT_KEYWORD)) is not None:
        require_packable(attention_mask, keywords)
        attention = onednn_attention if pieces.longest < LONGEST + TOKENS else masked_sdpa
        return pieces.attend(query, key, value, keywords.get("scaling"), attention), None
    plain = key.shape[2] <= LONGEST and is_causal_softmax(attention_mask, keywords)
    few_shapes = query.shape[2] == 1 and key.shape[2] % PADDED_TO == 0
    gains = query.requires_grad and products_are_onednn()
    if plain and (gains or few_shapes):
        return onednn_attention(query, key, value, attention_mask, keywords.get("scaling")), None
    with attention_matmul_precision("highest"):
        if plain and query.shape[2] == 1:
            return onednn_attention(query, key, value, attention_mask, keywords.get("scaling")), None
        found: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **keywords)
        return found


def products_are_onednn() -> bool:
    """Whether fp32 products may go through oneDNN here and now."""
    return torch.get_float32_matmul_precision() == PRECISION


def onednn_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float | None = None
) -> Tensor:
    """softmax(q kᵀ · scaling) v, [B, T, h, E].

    query [B, h, T, D], key [B, k, S, D], value [B, k, S, E], mask bool [B, 1, T, S]. Query heads that share a key head
    are folded into the rows of one product, so nothing is repeated. Without a mask the last query sees every key, the
    one before it all but the last, and so on.
    """
    batch, heads, queries, width = query.shape
    shared, keys = key.shape[1], key.shape[2]
    folds = heads // shared
    scaled = query * (width**-0.5 if scaling is None else scaling)
    weights = scaled.reshape(batch, shared, folds * queries, width) @ key.transpose(2, 3)
    if mask is not None:
        weights = weights.add_(_onednn_mask_bias(mask, folds))
    elif queries > 1:
        weights = weights.add_(_onednn_causal_bias(queries, keys, folds))
    found = weights.softmax(-1) @ value
    return found.view(batch, heads, queries, value.shape[3]).transpose(1, 2).contiguous()


def _onednn_mask_bias(mask: Tensor, folds: int) -> Tensor:
    """0 where a key is seen, UNSEEN elsewhere, [B, 1, T, S] → [B, 1, folds·T, S]."""
    return _make_onednn_mask_bias(mask, folds) if mask.numel() * folds > KEPT else _cached_onednn_mask_bias(mask, folds)


def _make_onednn_mask_bias(mask: Tensor, folds: int) -> Tensor:
    return torch.where(mask, 0.0, UNSEEN).repeat(1, 1, folds, 1)


_cached_onednn_mask_bias = lru_cache(maxsize=16)(
    _make_onednn_mask_bias
)  # all layers of a forward are given the same masks


@lru_cache(maxsize=4)
def _onednn_causal_bias(queries: int, keys: int, folds: int) -> Tensor:
    return torch.full((queries, keys), UNSEEN).triu(keys - queries + 1).repeat(folds, 1)


@lru_cache(maxsize=1)
def onednn_keeps_accuracy() -> bool:
    """Whether PRECISION keeps fp32's accuracy on this machine: one product against float64."""
    rng = torch.Generator().manual_seed(0)
    left, right = (torch.randn(WIDTH, WIDTH, generator=rng) for _ in range(2))
    exact = left.double() @ right.double()
    with attention_matmul_precision(PRECISION):
        found = left @ right
    return bool((found - exact).norm() / exact.norm() < TOLERANCE)

"""Faster fp32 matrix products on CPUs while decoding, where they keep fp32's accuracy.

PyTorch's "medium" precision sends fp32 products to oneDNN: about twice as fast on AVX-512, as accurate there, but
rounded to bf16 on a CPU with AMX; so the error of one product is measured first. Attention would become slower by
it (a primitive is built for every new cache length) and keeps the default.
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

NAME = "tvo_sdpa"
TOLERANCE = 1e-5  # relative; a product rounded to bf16 errs by 4e-3
WIDTH = 256


@contextmanager
def quick_products(network: Any) -> Iterator[bool]:
    """Inside: products through oneDNN, attention as before. Yields whether that is on."""
    before = network.config._attn_implementation
    device = next(network.parameters()).device
    if device.type != "cpu" or before != "sdpa" or not accurate():
        yield False
        return
    register()
    precision = torch.get_float32_matmul_precision()
    network.set_attn_implementation(NAME)
    torch.set_float32_matmul_precision("medium")
    try:
        yield True
    finally:
        torch.set_float32_matmul_precision(precision)
        network.set_attn_implementation(before)


@lru_cache(maxsize=1)
def register() -> None:
    """Make our attention known to transformers."""
    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)


def _attention(*arguments: Any, **keywords: Any) -> tuple[Tensor, None]:
    """transformers' own SDPA attention, with the default products."""
    torch.set_float32_matmul_precision("highest")
    try:
        found: tuple[Tensor, None] = sdpa_attention_forward(*arguments, **keywords)
        return found
    finally:
        torch.set_float32_matmul_precision("medium")


@lru_cache(maxsize=1)
def accurate() -> bool:
    """Whether "medium" keeps fp32's accuracy on this machine: one product against float64."""
    rng = torch.Generator().manual_seed(0)
    left, right = (torch.randn(WIDTH, WIDTH, generator=rng) for _ in range(2))
    exact = left.double() @ right.double()
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        found = left @ right
    finally:
        torch.set_float32_matmul_precision(before)
    return bool((found - exact).norm() / exact.norm() < TOLERANCE)

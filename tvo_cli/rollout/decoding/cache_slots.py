"""Slots of a running KV cache: prompts written into some of its rows, columns added or dropped at the left.

Every row ends at the cache's last column; what stands left of its first token is hidden by the mask. A key or value
depends on the tokens before it and on its position, not on its column, so that a row may stand anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicSlidingWindowLayer

from tvo_cli.model.forward_pass.cache_support import takes_cache
from tvo_cli.rollout.decoding.kv_cache import GrowingLayer, PaddedLayer, fit_columns, growing_cache

KINDS = (GrowingLayer, PaddedLayer, DynamicSlidingWindowLayer)
KEPT_WHOLE = {"full_attention", "sliding_attention"}  # of other kinds: chunks begin at fixed columns, states have none
KeysAndValues = tuple[Tensor, Tensor]  # each [n, heads, L, width]


def has_slots(network: Any) -> bool:
    """Whether a row of the network's cache can be replaced while the others run: keys and values alone, no state."""
    config = network.config.get_text_config(decoder=True)
    stated = set(getattr(config, "layer_types", None) or ())  # transformers 5.4 makes a plain layer of any kind
    if not takes_cache(network) or stated - KEPT_WHOLE or getattr(network, "_is_stateful", False):
        return False
    layers = growing_cache(network.config).layers
    return bool(layers) and all(type(layer) in KINDS for layer in layers)


def write_prompts(cache: DynamicCache, slots: Tensor, prompts: Sequence[KeysAndValues], source: Tensor) -> None:
    """Into each slot the keys and values of a prompt, which then ends at the cache's last column.

    slots and source int64 [k]: rows of the cache and of `prompts`, which are no longer than the cache.
    """
    for layer, new in zip(cache.layers, prompts, strict=True):
        end = min(layer.get_seq_length(), layer.keys.shape[-2])  # padded layers have more columns, windows fewer
        for held, one in zip((layer.keys, layer.values), new, strict=True):
            held[slots, :, end - one.shape[-2] : end] = one[source]


def shift_columns(cache: DynamicCache, columns: int) -> None:
    """Add so many empty columns at the left of a running cache; drop them where `columns` is negative."""
    for layer in cache.layers:
        length = layer.get_seq_length() + columns
        if isinstance(layer, DynamicSlidingWindowLayer):
            layer.cumulative_length, length = length, min(length, layer.sliding_window - 1)
            layer.keys, layer.values = fit_columns(layer.keys, length), fit_columns(layer.values, length)
        else:
            layer.fit_columns(length)

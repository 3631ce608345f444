"""Whether and under which name the forward of an architecture takes a KV cache."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any

from torch import nn
from transformers import Cache, DynamicCache, GenerationMixin
from transformers.cache_utils import DynamicLayer

CACHE_NAMES = ("cache", "past_key_values")  # transformers renamed the second in 5.24 and drops it in 5.40


def cache_argument(network: nn.Module, cache: Cache) -> dict[str, Cache]:
    """The cache under the name by which the network's forward takes it."""
    kind: Any = type(network)
    return {_cache_argument_name(kind): cache}


def takes_cache(network: nn.Module) -> bool:
    """Whether the forward takes a cache, or keywords among which there may be one."""
    known = inspect.signature(network.forward).parameters.values()
    return any(p.kind is p.VAR_KEYWORD or p.name in CACHE_NAMES for p in known)


@lru_cache(maxsize=64)
def _cache_argument_name(kind: type[Any]) -> str:
    """The name in the signature nearest to the class; where none says it, that of transformers' own generation."""
    forwards = [vars(one)["forward"] for one in kind.__mro__ if "forward" in vars(one)]
    for function in (*forwards, GenerationMixin.prepare_inputs_for_generation):
        for name in CACHE_NAMES:
            if name in inspect.signature(function).parameters:
                return name
    return CACHE_NAMES[0]


def supports_kv_cache(body: nn.Module) -> bool:
    """Whether every layer's cache is the plain one that grows: no sliding window, no state, no encoder."""
    config = getattr(body, "config", None)
    if config is None or not takes_cache(body):
        return False
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)

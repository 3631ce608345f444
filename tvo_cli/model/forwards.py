"""What the forward of any architecture takes and gives."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from torch import Tensor, nn
from transformers import Cache, GenerationMixin

CACHE_NAMES = ("cache", "past_key_values")  # transformers renamed the second in 5.24 and drops it in 5.40


def accepted(function: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments a forward knows: not every architecture has positions (ALiBi) or `logits_to_keep`."""
    known = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
        return arguments
    return {name: value for name, value in arguments.items() if name in known}


def cache_argument(network: nn.Module, cache: Cache) -> dict[str, Cache]:
    """The cache under the name by which the network's forward takes it."""
    kind: Any = type(network)
    return {_cache_name(kind): cache}


def takes_cache(network: nn.Module) -> bool:
    """Whether the forward takes a cache, or keywords among which there may be one."""
    known = inspect.signature(network.forward).parameters.values()
    return any(p.kind is p.VAR_KEYWORD or p.name in CACHE_NAMES for p in known)


@lru_cache(maxsize=64)
def _cache_name(kind: type[Any]) -> str:
    """The name in the signature nearest to the class; where none says it, that of transformers' own generation."""
    forwards = [vars(one)["forward"] for one in kind.__mro__ if "forward" in vars(one)]
    for function in (*forwards, GenerationMixin.prepare_inputs_for_generation):
        for name in CACHE_NAMES:
            if name in inspect.signature(function).parameters:
                return name
    return CACHE_NAMES[0]


def positions(mask: Tensor) -> Tensor:
    """Position of each token counted from the first real one: [B, S] bool → int64, 0 on left padding."""
    return (mask.long().cumsum(-1) - 1).clamp(min=0)


def trimmed(prompt_ids: Tensor, prompt_mask: Tensor) -> tuple[Tensor, Tensor]:
    """Left-padded prompts without the columns that are padding in every row."""
    first = int(prompt_mask.any(0).float().argmax())
    return prompt_ids[:, first:], prompt_mask[:, first:]


def states(outputs: Any) -> Tensor:
    """[B, S, H] of a backbone, or the logits of a whole network."""
    found: Tensor = outputs.logits if hasattr(outputs, "logits") else outputs.last_hidden_state
    return found

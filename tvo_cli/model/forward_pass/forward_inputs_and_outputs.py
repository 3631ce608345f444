"""The arguments that the forward of an architecture accepts, positions and padding, and the states it returns."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import Tensor


def accepted_arguments(function: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments a forward knows: not every architecture has positions (ALiBi) or `logits_to_keep`."""
    known = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
        return arguments
    return {name: value for name, value in arguments.items() if name in known}


def token_positions(mask: Tensor) -> Tensor:
    """Position of each token counted from the first real one: [B, S] bool → int64, 0 on left padding."""
    return (mask.long().cumsum(-1) - 1).clamp(min=0)


def trim_left_padding(prompt_ids: Tensor, prompt_mask: Tensor) -> tuple[Tensor, Tensor]:
    """Left-padded prompts without the columns that are padding in every row."""
    first = int(prompt_mask.any(0).float().argmax())
    return prompt_ids[:, first:], prompt_mask[:, first:]


def output_states(outputs: Any) -> Tensor:
    """[B, S, H] of a backbone, or the logits of a whole network."""
    found: Tensor = outputs.logits if hasattr(outputs, "logits") else outputs.last_hidden_state
    return found

"""Functions of tokens (shaping, weight, penalty term): the two that leave everything as it is, and what one reads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from tvo_cli.types import Tokens


def plain_advantage(tokens: Tokens) -> Tensor:
    """Â as it was estimated, [B, T]."""
    return tokens.advantage


def every_token(tokens: Tokens) -> Tensor:
    """Weight 1 for all, [B, T]."""
    return torch.ones_like(tokens.logp)


_Function = TypeVar("_Function", bound=Callable[..., Tensor])
_MARK = "reads_reference"


def reads_reference(function: _Function) -> _Function:
    """Mark a function of tokens that reads `Tokens.ref_logp`."""
    setattr(function, _MARK, True)
    return function


def does_read_reference(function: Any) -> bool:
    """Whether a function of tokens, or the function that it is a partial of, reads `Tokens.ref_logp`."""
    return getattr(function.func if isinstance(function, partial) else function, _MARK, False) is True


class TokenFn(Protocol):
    """Anything computed token by token: a shaping, a weight, a penalty."""

    def __call__(self, tokens: Tokens, /) -> Tensor: ...

"""Functions of tokens (shaping, weight, penalty term): the two that leave everything as it is, and what one reads."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from tvo_cli.maths.piece_marks import does_read_reference, reads_reference
from tvo_cli.types import Tokens

__all__ = ["TokenFn", "does_read_reference", "reads_reference"]


def plain_advantage(tokens: Tokens) -> Tensor:
    """Â as it was estimated, [B, T]."""
    return tokens.advantage


def every_token(tokens: Tokens) -> Tensor:
    """The weight that leaves every token of the loss as it is: 1 for all, [B, T]."""
    return torch.ones_like(tokens.logp)


class TokenFn(Protocol):
    """Anything computed token by token: a shaping, a weight, a penalty."""

    def __call__(self, tokens: Tokens, /) -> Tensor: ...

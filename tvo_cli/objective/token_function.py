"""Functions computed token by token (shaping, weight, penalty term), and the two that leave everything as it is."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from tvo_cli.types import Tokens


def plain_advantage(tokens: Tokens) -> Tensor:
    """Â as it was estimated, [B, T]."""
    return tokens.advantage


def every_token(tokens: Tokens) -> Tensor:
    """Weight 1 for all, [B, T]."""
    return torch.ones_like(tokens.logp)


class TokenFn(Protocol):
    """Anything computed token by token: a shaping, a weight, a penalty."""

    def __call__(self, tokens: Tokens, /) -> Tensor: ...

"""What a piece of an algorithm returns, held to its shape before anything is computed with it."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from tvo_cli.errors import UserError
from tvo_cli.types import Advantage


def per_token(key: str, piece: Any, found: Any, mask: Tensor) -> Tensor:
    """Return what a piece returned for tokens of this mask: a tensor [B, T]. It reads no value, so it costs nothing.

    Raises:
        UserError: it is something else, which would be broadcast or fail far from its cause.
    """
    if isinstance(found, Tensor) and found.shape == mask.shape:
        return found
    what = f"a tensor {list(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
    problem = f"{key.rpartition('.')[2]} returned {what}, a tensor [B, T] is needed{_line_of_piece(piece)}."
    raise UserError(key, name_of_piece(piece), problem, f"Here [B, T] is {list(mask.shape)}.")


def per_token_advantage(piece: Any, found: Any, mask: Tensor) -> Advantage:
    """Return what an estimator returned for responses of this mask: an Advantage with values [B, T].

    Raises:
        UserError: it is something else.
    """
    key = "algorithm.estimator"
    if not isinstance(found, Advantage):
        problem = f"estimator returned {type(found).__name__}, an Advantage is needed."
        raise UserError(key, name_of_piece(piece), problem, "tvo_cli.types.Advantage(values=…, scale=1.0)")
    per_token(key, piece, found.values, mask)
    return found


def name_of_piece(piece: Any) -> str:
    """Return a piece of an algorithm as errors name it, file and name: `mine.py:my_weight`."""
    function = piece.func if isinstance(piece, partial) else piece
    named = function if hasattr(function, "__qualname__") else type(function)
    file = getattr(sys.modules.get(named.__module__), "__file__", None) or named.__module__
    return f"{Path(file).name}:{named.__qualname__}"


def _line_of_piece(piece: Any) -> str:
    """Return the line at which a function begins, or an object's `__call__`, for an error."""
    function = piece.func if isinstance(piece, partial) else piece
    named = function if hasattr(function, "__code__") else vars(type(function)).get("__call__")
    code = getattr(named, "__code__", None)
    return f" ({Path(code.co_filename).name}, line {code.co_firstlineno})" if code else ""

"""Marks on the functions that an algorithm names: what they are called with, or read, besides the usual."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])
_REFERENCE, _TOKENS, _EQUAL = "reads_reference", "reads_tokens", "teaches_equal_rewards"


def reads_reference(function: _Function) -> _Function:
    """Mark a function of tokens that reads `Tokens.ref_logp`."""
    setattr(function, _REFERENCE, {})
    return function


def reads_reference_if(**settings: Any) -> Callable[[_Function], _Function]:
    """Mark a function of tokens that reads `Tokens.ref_logp` where its keywords have these values."""

    def mark(function: _Function) -> _Function:
        setattr(function, _REFERENCE, settings)
        return function

    return mark


def does_read_reference(function: Any) -> bool:
    """Whether a function of tokens, or the function that it is a partial of, reads `Tokens.ref_logp`."""
    marked, given = (function.func, function.keywords) if isinstance(function, partial) else (function, {})
    settings = getattr(marked, _REFERENCE, None)
    return settings is not None and all(given.get(name) == value for name, value in settings.items())


def teaches_equal_rewards(function: _Function) -> _Function:
    """Mark a shaping that gives advantages to a group whose rewards are all equal."""
    setattr(function, _EQUAL, True)
    return function


def does_teach_equal_rewards(function: Any) -> bool:
    """Whether a shaping, or the function that it is a partial of, acts on equal rewards."""
    return getattr(function.func if isinstance(function, partial) else function, _EQUAL, False) is True


def reads_tokens(function: _Function) -> _Function:
    """Mark a surrogate that is called with the tokens besides ratio and advantage."""
    setattr(function, _TOKENS, True)
    return function


def does_read_tokens(function: Any) -> bool:
    """Whether a surrogate, or the function that it is a partial of, is called with the tokens too."""
    return getattr(function.func if isinstance(function, partial) else function, _TOKENS, False) is True

"""Marks on the functions that an algorithm names: what they are called with, or read, besides the usual."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])
_REFERENCE, _TOKENS, _EQUAL = "reads_reference", "reads_tokens", "teaches_equal_rewards"
_SAMPLES = "minimum_samples"  # the name that estimators and ways to sample have for it


def reads_reference(function: _Function) -> _Function:
    """The mark of a function of tokens that reads `Tokens.ref_logp`, as a decorator."""
    setattr(function, _REFERENCE, {})
    return function


def reads_reference_if(**settings: Any) -> Callable[[_Function], _Function]:
    """The mark of a function that reads `Tokens.ref_logp` where its keywords have these values, as a decorator."""

    def mark(function: _Function) -> _Function:
        setattr(function, _REFERENCE, settings)
        return function

    return mark


def does_read_reference(function: Any) -> bool:
    """Whether a piece of an algorithm, or what it is a partial of, has the mark `reads_reference`."""
    marked, given = (function.func, function.keywords) if isinstance(function, partial) else (function, {})
    settings = getattr(marked, _REFERENCE, None)
    return settings is not None and all(given.get(name) == value for name, value in settings.items())


def teaches_equal_rewards(function: _Function) -> _Function:
    """The mark of a shaping that gives advantages to a group whose rewards are all equal, as a decorator."""
    setattr(function, _EQUAL, True)
    return function


def does_teach_equal_rewards(function: Any) -> bool:
    """Whether a piece of an algorithm, or what it is a partial of, has the mark `teaches_equal_rewards`."""
    return getattr(function.func if isinstance(function, partial) else function, _EQUAL, False) is True


def needs_samples(least: int) -> Callable[[_Function], _Function]:
    """The mark of a reward shaping that tells nothing apart in a group of fewer responses, as a decorator."""

    def mark(function: _Function) -> _Function:
        setattr(function, _SAMPLES, least)
        return function

    return mark


def reads_tokens(function: _Function) -> _Function:
    """The mark of a surrogate that is called with the tokens besides ratio and advantage, as a decorator."""
    setattr(function, _TOKENS, True)
    return function


def does_read_tokens(function: Any) -> bool:
    """Whether a piece of an algorithm, or what it is a partial of, has the mark `reads_tokens`."""
    return getattr(function.func if isinstance(function, partial) else function, _TOKENS, False) is True

"""The signature of a function of a user's own, against what the program offers and what the config hands on."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.nearest_names import closest_names

BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def parameters_asked_for(
    key: str,
    reference: str,
    function: Callable[..., Any],
    offered: Sequence[str],
    given: Mapping[str, Any],
    own_keys: Sequence[str] = (),
) -> tuple[str, ...]:
    """Which of the `offered` columns a function asks for by name; all of them where it has `**kwargs`.

    `given`: the keywords that the config hands on. `own_keys`: those of the entry, which are not handed on.

    Raises:
        UserError: a keyword that it does not know, a parameter that nobody gives, or no function of this kind.
    """
    parameters = _parameters_of(key, reference, function)
    named = [name for name, parameter in parameters.items() if parameter.kind in BY_NAME]
    everything = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    known = None if everything else [one for one in named if one not in offered]
    _check_given_keywords(key, reference, offered, given, known, own_keys)
    for name in named:
        if name not in offered and name not in given and parameters[name].default is inspect.Parameter.empty:
            raise UserError(f"{key}.{name}", "", f"is missing: {reference} needs it.", _askable(name, offered, given))
    return tuple(name for name in offered if everything or name in named)


def _parameters_of(key: str, reference: str, function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Its parameters by name."""
    if inspect.isclass(function):
        raise UserError(key, reference, "is a class.", "Name a function, or an instance that can be called.")
    if inspect.iscoroutinefunction(function):
        raise UserError(key, reference, "is an async function.", "Write a def that runs it: asyncio.run(…).")
    try:
        found = inspect.signature(function).parameters
    except (TypeError, ValueError) as error:
        problem = "has no signature that Python can read."
        raise UserError(key, reference, problem, "Write a def around it.") from error
    for name, parameter in found.items():
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            raise UserError(key, reference, f"takes {name} by position only.", "Parameters are given by name.")
    return found


def _check_given_keywords(
    key: str,
    reference: str,
    offered: Sequence[str],
    given: Mapping[str, Any],
    settable: Sequence[str] | None,
    own_keys: Sequence[str],
) -> None:
    """Refuse a keyword that the program fills itself, or that the function does not know."""
    for name, value in given.items():
        if name in offered:
            raise UserError(f"{key}.{name}", value, "is filled by the program.", "Leave it out.")
        if settable is not None and name not in settable:
            entry = f" An entry itself has: {', '.join(own_keys)}." if own_keys else ""
            has = f"It has: {', '.join(settable) or 'none that a config may set'}.{entry}"
            hint = _nearest_parameters(name, [*settable, *own_keys]) or has
            raise UserError(f"{key}.{name}", value, f"{reference} has no such parameter.", hint.strip())


def _askable(name: str, offered: Sequence[str], given: Mapping[str, Any]) -> str:
    """The names that a function may ask for instead of one that nobody gives."""
    asked = f"It may ask for {', '.join([*offered, *given])}"
    return f"{_nearest_parameters(name, [*offered, *given])}{asked}, or give {name} a default."


def _nearest_parameters(name: str, known: Sequence[str]) -> str:
    close = closest_names(name, known)
    return f"Nearest: {', '.join(close)}. " if close else ""

"""A call of a user's own function on a batch: what it returns or raises, read row by row. It imports no torch.

It runs in the function's child process, or in this one where reward.isolated is false.
"""

from __future__ import annotations

import math
import numbers
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any

from tvo_cli.plugins.own_code_loading import describe_own_code_failure
from tvo_cli.reward.json_tuples import tag_tuples
from tvo_cli.types import Problem, Verdict

Read = Callable[[Any], Any]  # of one row's value; raises UnusableReturnedValue
KINDS = {"problems": Problem, "verdicts": Verdict}


class UnusableReturnedValue(Exception):
    """A value that is no reward, or no verdict."""


@dataclass(slots=True)
class CallOutcome:
    """What became of a call: a value a row, the rows that have none, and why all of it is unusable."""

    values: list[Any]
    faults: list[tuple[int, str]] = field(default_factory=list)  # row, what is wrong
    failure: str = ""  # of the whole batch


@dataclass(frozen=True, slots=True)
class FunctionRequest:
    """What a function is called with: a list a column, and what is the same for every row."""

    columns: Mapping[str, Sequence[Any]]
    constants: Mapping[str, Any]
    rows: int
    seed: int  # its draws depend on it alone
    reads: str  # reward, judgement
    every_fault: bool = False  # look for all rows at which it raises; else for the first


def call_on_batch(function: Callable[..., Any], request: FunctionRequest) -> CallOutcome:
    """Call a function on a whole batch. Where it raises, the rows at which it does so alone are looked for.

    With `every_fault` it is then called once more, on the batch without them.
    """
    outcome = _outcome_on(function, request, range(request.rows))
    if isinstance(outcome, CallOutcome):
        return outcome
    faults = list(islice(_rows_that_raise(function, request), None if request.every_fault else 1))
    if not faults:
        said = f"{describe_own_code_failure(outcome)}, on the whole batch and on no row alone"
        return CallOutcome([None] * request.rows, failure=said)
    return _outcome_without(function, request, faults) if request.every_fault else _outcome_of_faults(request, faults)


def _outcome_on(
    function: Callable[..., Any], request: FunctionRequest, rows: Sequence[int]
) -> CallOutcome | BaseException:
    """What it returns for these rows, or raises."""
    try:
        return read_returned(_call_on_rows(function, request, rows), len(rows), READERS[request.reads])
    except (Exception, SystemExit) as error:  # of any kind: it is the user's code, and is told to the user
        return error


def _call_on_rows(function: Callable[..., Any], request: FunctionRequest, rows: Sequence[int]) -> Any:
    seed_generators_of_function(request.seed)
    chosen = {name: [column[row] for row in rows] for name, column in request.columns.items()}
    return function(**chosen, **request.constants)


def _rows_that_raise(function: Callable[..., Any], request: FunctionRequest) -> Iterator[tuple[int, str]]:
    for row in range(request.rows):
        found = _outcome_on(function, request, [row])
        if isinstance(found, BaseException):
            yield row, describe_own_code_failure(found)


def _outcome_of_faults(request: FunctionRequest, faults: list[tuple[int, str]]) -> CallOutcome:
    """The outcome of a call that failed as a whole: no value for any row, and why."""
    return CallOutcome([None] * request.rows, faults)


def _outcome_without(
    function: Callable[..., Any], request: FunctionRequest, faults: list[tuple[int, str]]
) -> CallOutcome:
    """The outcome of the other rows, as one batch."""
    bad, found = dict(faults), _outcome_of_faults(request, faults)
    rows = [row for row in range(request.rows) if row not in bad]
    outcome = _outcome_on(function, request, rows) if rows else CallOutcome([])
    if isinstance(outcome, BaseException):
        found.failure = f"{describe_own_code_failure(outcome)}, also without the rows at which it raises alone"
        return found
    for row, value in zip(rows, outcome.values, strict=True):
        found.values[row] = value
    found.faults = sorted([*faults, *((rows[place], text) for place, text in outcome.faults)])
    found.failure = outcome.failure
    return found


def read_returned(returned: Any, rows: int, read: Read) -> CallOutcome:
    """Read what a function returned for so many rows: a list, tuple, array, tensor or generator."""
    kind = type(returned).__name__
    found = returned.tolist() if hasattr(returned, "tolist") else returned
    if hasattr(found, "__next__"):
        found = list(islice(found, rows + 1))  # it may be without end
    if not isinstance(found, list | tuple):
        return CallOutcome([None] * rows, failure=f"returned {kind}; it must return a list with a value a response")
    if len(found) != rows:
        return CallOutcome(
            [None] * rows, failure=f"returned {_returned_count(found, rows, kind)} values for {rows} responses"
        )
    outcome = CallOutcome([])
    for row, value in enumerate(found):
        try:
            outcome.values.append(read(value))
        except UnusableReturnedValue as fault:
            outcome.values.append(None)
            outcome.faults.append((row, str(fault)))
    return outcome


def _returned_count(found: Sequence[Any], rows: int, kind: str) -> str:
    return f"more than {rows}" if kind == "generator" and len(found) > rows else str(len(found))


def read_reward(value: Any) -> float | None:
    """A reward: a finite number, True or False for 1 or 0, None for no opinion."""
    value = plain_returned_value(value)
    if value is None:
        return None
    if not isinstance(value, numbers.Real):
        raise UnusableReturnedValue(f"is {_returned_value_text(value)}; a reward is a number or None")
    try:
        found = float(value)
    except OverflowError:
        raise UnusableReturnedValue("is too large for a float") from None
    if not math.isfinite(found):
        raise UnusableReturnedValue(f"is {found}")
    return found


def read_judgement(value: Any) -> list[Any] | None:
    """A scorer's judgement: [correct, extracted, reason] of True, False, 1, 0 or a verdict; None: it could not tell."""
    if value is None:
        return None
    if isinstance(value, Mapping) and "correct" in value:
        stated: Mapping[str, Any] = value
    elif hasattr(value, "correct"):
        names = ("correct", "extracted", "reason", "failed")
        stated = {name: getattr(value, name) for name in names if hasattr(value, name)}
    else:
        return [_read_correct(value), None, ""]
    if stated.get("failed"):
        return None
    extracted = stated.get("extracted")
    text = None if extracted is None else str(extracted)
    return [_read_correct(stated["correct"]), text, str(stated.get("reason") or "")]


def _read_correct(value: Any) -> bool:
    """What a scorer of the user's says of a row as True or False."""
    value = plain_returned_value(value)
    if value in (0, 1) and isinstance(value, numbers.Real):
        return bool(value)
    raise UnusableReturnedValue(f"is {_returned_value_text(value)}; a scorer says True, False, 1, 0 or None")


def plain_returned_value(value: Any) -> Any:
    """A number of numpy or torch as Python's."""
    try:
        return value.item() if hasattr(value, "item") else value
    except (RuntimeError, ValueError, TypeError):
        raise UnusableReturnedValue(f"is {_returned_value_text(value)}; a row has one value") from None


READERS: Mapping[str, Read] = {"reward": read_reward, "judgement": read_judgement}


def _returned_value_text(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 40 else text[:39] + '…'}"


def seed_generators_of_function(seed: int) -> None:
    """Seed the generators that a function may draw from, those of libraries as far as they are imported."""
    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed % 2**32)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)


def request_to_json(request: FunctionRequest) -> dict[str, Any]:
    """A request as JSON has it; tuples are tagged."""
    columns = {
        name: [tag_tuples(asdict(row)) for row in column] if name in KINDS else list(column)
        for name, column in request.columns.items()
    }
    return asdict(replace(request, columns={})) | {"columns": columns}


def request_from_json(found: Mapping[str, Any]) -> FunctionRequest:
    """The request, its problems and verdicts as objects again."""
    columns = {
        name: [KINDS[name](**row) for row in column] if name in KINDS else column
        for name, column in found["columns"].items()
    }
    return FunctionRequest(**{**found, "columns": columns})

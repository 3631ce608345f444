"""Problems that a function of the user's makes (kind: own): it is given a split and a seed, and returns rows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from tvo_cli.data.problems import ProblemList, Problems
from tvo_cli.data.row_selection import limit_of
from tvo_cli.data.row_to_problem import further_columns
from tvo_cli.errors import UserError
from tvo_cli.plugins.own_code_loading import describe_own_code_failure
from tvo_cli.plugins.own_targets import check_own_target_name, own_target_object
from tvo_cli.plugins.scorer_reference import is_own_scorer
from tvo_cli.types import Problem

KEY = "dataset.make"
MOST = 1_000_000  # rows of a function that does not end
TEXTS = ("question", "answer", "level", "subject", "scorer")
GIVEN = ("split", "seed")


def load_own_problems(node: Mapping[str, Any], *, split: str, seed: int) -> Problems:
    """The problems of a split, as the function that `dataset.make` names makes them.

    Raises:
        UserError: it fails, returns something else than rows, a row has no question or answer, or two have one id; the
            rows are named.
    """
    found, name, target = own_rows(node, split=split, seed=seed), str(node["name"]), str(node["make"]["_target_"])
    if not isinstance(found, list):
        return found
    problems = [_problem_of(row, f"{name}/{split}/{i}", name, target) for i, row in enumerate(found)]
    return own_problem_list(problems, name, split, target)


def own_problem_list(problems: Sequence[Problem], name: str, split: str, target: str) -> ProblemList:
    """The problems of rows, whose ids must differ.

    Raises:
        UserError: two rows have one id; both are named.
    """
    seen: dict[str, int] = {}
    for number, problem in enumerate(problems):
        first = seen.setdefault(problem.id, number)
        if first != number:
            told = f"row {name}/{split}/{number} has the id {problem.id!r} of row {name}/{split}/{first}."
            raise UserError(KEY, target, told, "Ids must be unique: mend them, or leave id out.")
    return ProblemList(name, problems)


def own_rows(node: Mapping[str, Any], *, split: str, seed: int) -> list[Any] | Problems:
    """The rows of a split that the function of `dataset.make` returns, or the Problems that it returns by themselves.

    Raises:
        UserError: it fails, or returns something else than rows.
    """
    target = str(node["make"]["_target_"])
    check_own_target_name(f"{KEY}._target_", target)
    with _failure_named(target):
        found = _rows_of(own_target_object(f"{KEY}._target_", target), node, split, seed)
    if callable(getattr(found, "problem", None)):  # Problems by itself: numbered, perhaps without end
        return found  # type: ignore[no-any-return]
    if isinstance(found, str | bytes | Mapping) or not isinstance(found, Iterable):
        problem = f"returned {type(found).__name__}, no list of rows."
        raise UserError(KEY, target, problem, 'Return rows: [{"question": …, "answer": …}].')
    limit = limit_of(node)
    with _failure_named(target):  # a generator runs only now
        rows = list(islice(found, MOST + 1 if limit is None else limit))
    if len(rows) > MOST:
        raise UserError(KEY, target, f"makes more than {MOST} rows.", "Set dataset.limit, or end it.")
    return rows


def _rows_of(function: Callable[..., Any], node: Mapping[str, Any], split: str, seed: int) -> Any:
    """Return what the user's function makes of a split and a seed."""
    settings = {name: value for name, value in node["make"].items() if not str(name).startswith("_")}
    taken = inspect.signature(function).parameters
    if "split" not in taken:
        remedy = "def NAME(split, seed, *, your_settings): the problems to learn from differ from those to test on."
        raise UserError(KEY, node["make"]["_target_"], "takes no split.", remedy)
    given = {name: value for name, value in zip(GIVEN, (split, seed), strict=True) if name in taken}
    return function(**given, **settings)


@contextmanager
def _failure_named(target: str) -> Iterator[None]:
    """Name the function and its line in an error of the user's code."""
    try:
        yield
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise UserError(
            KEY, target, f"failed: {describe_own_code_failure(error)}.", "The traceback: --debug."
        ) from error


def _problem_of(row: Any, name: str, source: str, target: str) -> Problem:
    """A row as a problem: a mapping with question and answer, or a Problem."""
    found = row if isinstance(row, Problem) else _problem_of_mapping(row, name, source, target)
    if is_own_scorer(found.scorer):
        problem = f"row {name} names the scorer {found.scorer}, own code that no config records."
        raise UserError(KEY, target, problem, f"Name it there: reward.scorer={found.scorer}")
    return found


def _problem_of_mapping(row: Any, name: str, source: str, target: str) -> Problem:
    """A row of the user's function, which must be a mapping with question and answer, as a problem."""
    if not isinstance(row, Mapping):
        raise UserError(KEY, target, f"row {name} is {type(row).__name__}, no mapping.")
    for key in ("question", "answer"):
        if not str(row.get(key, "")).strip() or row[key] is None:
            raise UserError(KEY, target, f"row {name} has no {key} (it has {', '.join(map(str, row)) or 'nothing'}).")
    texts: dict[str, Any] = {key: str(row[key]) for key in TEXTS if row.get(key) is not None}
    metadata = further_columns(row, ("id", *TEXTS))
    stated = row.get("id")
    own_id = name if stated is None or not str(stated).strip() else str(stated)
    return Problem(id=own_id, source=source, metadata=metadata, **texts)

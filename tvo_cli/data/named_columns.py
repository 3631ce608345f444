"""The columns that dataset.columns names: one that no row has is refused, with those that there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from tvo_cli.data.row_to_problem import GUESSES, Row, RowWithoutAnswer, UnconvertibleRow
from tvo_cli.errors import UserError
from tvo_cli.nearest_names import closest_names
from tvo_cli.readers.column_paths import has_path

SHOWN = 24  # columns in a message


class NamedColumns:
    """Which named columns no row has had so far, and the columns that the rows have."""

    def __init__(self, node: Mapping[str, Any]) -> None:
        named = {noun: str(path) for noun, path in (node.get("columns") or {}).items() if path}
        self.absent = {noun: path for noun, path in named.items() if not _is_column_of_preset(node, noun, path)}
        self._there: dict[str, None] = {}  # in the order in which they were met

    def meet(self, row: Row) -> None:
        """Take note of a row's columns; a named one that only some rows have is there."""
        if self.absent:
            self.absent = {noun: path for noun, path in self.absent.items() if not has_path(row, path)}
            self._there.update(dict.fromkeys(map(str, row)))

    def explained(self, fault: UnconvertibleRow, row: Row) -> UnconvertibleRow:
        """Return why a row cannot be read: where no row so far had the column that would state it, that."""
        stating = ("answer", "solution") if isinstance(fault, RowWithoutAnswer) else (fault.key.rpartition(".")[2],)
        noun = next((noun for noun in stating if noun in self.absent), "")
        if not noun:
            return fault
        key, path = f"dataset.columns.{noun}", self.absent[noun]
        problem = f"has no column {path!r} (it has {_listed(map(str, row))})"
        return type(fault)(key, problem, self._remedy(key, path))

    def refuse_absent(self) -> None:
        """Refuse the first named column that no row has.

        Raises:
            UserError: there is one.
        """
        for noun, path in self.absent.items():
            key = f"dataset.columns.{noun}"
            problem = f"no row has this column (there are: {_listed(self._there)})."
            raise UserError(key, path, problem, self._remedy(key, path))

    def _remedy(self, key: str, path: str) -> str:
        near = nearest_column(path, self._there)
        return f"Nearest: {_column_override(key, near)}" if near else f"Name one that is there, or leave {key} out."


def nearest_column(name: str, columns: Iterable[str]) -> str:
    """Return the column that a mistyped one of dataset.columns may stand for: one of its letters, or spelled alike."""
    plain = {column.lower(): column for column in columns}
    word = name.lower()
    held = [column for column in plain if word in column.split() or column in word.split()]
    found = held or closest_names(word, plain, n=1)
    return plain[found[0]] if found else ""


def _is_column_of_preset(node: Mapping[str, Any], noun: str, path: str) -> bool:
    """Return whether a data set of the hub names a column as it is usually called: a copy of it may lack it."""
    return node["kind"] == "hub" and node.get("name") != "hub" and path in GUESSES[noun]


def _column_override(key: str, name: str) -> str:
    """Return the word that names a column on the command line, quoted for the shell and for Hydra."""
    return shlex.quote(f"{key}={name}" if re.fullmatch(r"[\w .-]+", name) else f'{key}="{name}"')


def _listed(columns: Iterable[str]) -> str:
    """Return columns in the words of the refusal of a named one, as many as a line takes."""
    names = [name if name.isidentifier() else repr(name) for name in columns]
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "") or "none"

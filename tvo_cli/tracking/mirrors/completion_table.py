"""The table of completions that a run's mirrors show: the same rows for all of them, capped, secrets redacted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tvo_cli import escaping
from tvo_cli.redaction import without_secrets

NAME = "completions"
COLUMNS = ("id", "question", "completion", "gold", "extracted", "correct", "reward", "rewards", "tokens", "reason")
MOST_ROWS = 16
MOST_CHARACTERS = 4000  # of a cell: a table is no place for a response of 100,000 tokens
MOST_COMPARED = 64_000  # characters of a text that are searched for secrets


def completion_rows(rows: Iterable[Mapping[str, Any]]) -> list[list[Any]]:
    """Return the cells of a step's rows of responses/: the first MOST_ROWS, each text as `completion_text` shows it."""
    return [[completion_cell(row.get(column)) for column in COLUMNS] for row, _ in zip(rows, range(MOST_ROWS))]


def completion_text(text: str) -> str:
    """Return a cell of the table of completions: controls and bidi marks shown, secrets masked, its end cut."""
    masked = without_secrets(text[:MOST_COMPARED])  # before the cut, which may go through a secret
    shown = escaping.lines(masked[:MOST_CHARACTERS])
    whole = len(masked) <= MOST_CHARACTERS and len(text) <= MOST_COMPARED
    return shown if whole else f"{shown} … ({len(text):,} characters in all)"


def completion_cell(value: Any) -> Any:
    """Return a value of a row of responses/ for a table or a page: numbers as they are, else text."""
    if isinstance(value, Mapping):  # rewards: what each function of the user's says
        value = ", ".join(f"{name} {_opinion_text(one)}" for name, one in value.items())
    return value if value is None or isinstance(value, bool | int | float) else completion_text(str(value))


def _opinion_text(value: Any) -> str:
    """What a user's reward function says of a completion, as a cell of the completion table."""
    return "none" if value is None else f"{value:.4g}" if isinstance(value, int | float) else str(value)

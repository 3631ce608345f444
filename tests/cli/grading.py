"""`tvo grade` as a function: rows in, rows out, the exit code and what was said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    rows: list[dict[str, Any]]
    out: str
    said: str


GOLD = r"2\sqrt{3}"
Grade = Callable[..., Done]


def row(prediction: object, gold: object = "5", **fields: object) -> dict[str, Any]:
    return {"gold": gold, "prediction": prediction, **fields}

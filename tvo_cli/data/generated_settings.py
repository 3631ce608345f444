"""Settings of a generated task (arithmetic, addition, chain_sums), read from a dataset node and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from tvo_cli.data.addition import AdditionSettings
from tvo_cli.data.arithmetic import ArithmeticSettings
from tvo_cli.data.chain_sums import ChainSumsSettings
from tvo_cli.errors import UserError

Settings = TypeVar("Settings", ArithmeticSettings, AdditionSettings, ChainSumsSettings)

RANGES = ("operations", "digits", "first", "further", "terms")


def settings_of(kind: type[Settings], node: Mapping[str, Any]) -> Settings:
    """Return the settings of a generated task that the node states; the rest keep their defaults."""
    stated = {field.name: node[field.name] for field in fields(kind) if node.get(field.name) is not None}
    return kind(**{name: _checked_setting(name, value) for name, value in stated.items()})


def _checked_setting(name: str, value: Any) -> Any:
    if name in RANGES:
        return _checked_range(name, value)
    if name.endswith(("_share", "_error")):
        return _checked_task_share(name, value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise UserError(f"dataset.{name}", value, "is not a whole number.")
    return value


def _checked_range(name: str, value: Any) -> tuple[int, int]:
    """Return a range of a generated task: n means [n, n], else [fewest, most]."""
    ends = [value, value] if isinstance(value, int) else value
    if (
        isinstance(ends, str)
        or not isinstance(ends, Sequence)
        or len(ends) != 2
        or not all(isinstance(end, int) for end in ends)
    ):
        raise UserError(f"dataset.{name}", value, "is neither a whole number nor [fewest, most].")
    return int(ends[0]), int(ends[1])


def _checked_task_share(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UserError(f"dataset.{name}", value, "is not a share between 0 and 1.")
    return float(value)

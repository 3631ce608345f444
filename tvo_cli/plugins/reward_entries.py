"""The entries of reward.functions: which function, under which name, at which weight, with which keywords."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.plugins.call_signature import parameters_asked_for
from tvo_cli.plugins.own_code_loading import load_callable

KEY = "reward.functions"
OWN_KEYS = ("call", "name", "weight", "deadline")  # of an entry; every other is handed on
OFFERED = ("prompts", "responses", "problems", "verdicts", "lengths", "finished", "step")
TAKEN = ("correct", "format", "length", "mean", "std", "factor")  # by other readings of reward/
SHAPE = re.compile(r"[A-Za-z_][\w.-]*")  # of a name: it stands in the name of a metric


@dataclass(frozen=True, slots=True)
class RewardEntry:
    """One function of reward.functions."""

    key: str  # reward.functions.0
    call: str
    name: str  # the metric is reward/NAME
    weight: float
    deadline: float | None  # seconds; None: reward.deadline
    keywords: Mapping[str, Any]


def reward_entries(nodes: Iterable[Mapping[str, Any]] | None) -> list[RewardEntry]:
    """Read the entries of reward.functions; nothing is loaded.

    Raises:
        UserError: an entry says no function, or two have one name.
    """
    entries: list[RewardEntry] = []
    for index, node in enumerate(nodes or ()):
        entry = _entry_of(f"{KEY}.{index}", node)
        if entry.name in (earlier.name for earlier in entries):
            remedy = f"Give one a name: {{call: {entry.call}, name: {entry.name}_2, …}}"
            raise UserError(f"{entry.key}.name", entry.name, "is the name of an earlier function too.", remedy)
        entries.append(entry)
    return entries


def _entry_of(key: str, node: Mapping[str, Any]) -> RewardEntry:
    """An entry of reward.functions, read and checked."""
    call = node.get("call") if isinstance(node, Mapping) else None
    if not isinstance(call, str) or ":" not in call:
        shown = node if call is None else call
        raise UserError(f"{key}.call", shown, "names no function.", "Write FILE.py:NAME or package.module:NAME.")
    keywords = {str(name): value for name, value in node.items() if name not in OWN_KEYS}
    deadline = node.get("deadline")
    return RewardEntry(
        key=key,
        call=call,
        name=_name_of(key, node.get("name"), call),
        weight=_reward_entry_number(f"{key}.weight", node.get("weight", 1.0), -math.inf),
        deadline=None if deadline is None else _reward_entry_number(f"{key}.deadline", deadline, 0.01),
        keywords=keywords,
    )


def _name_of(key: str, stated: object, call: str) -> str:
    """The name of an entry of reward.functions: the stated one, else its function's."""
    name = call.rpartition(":")[2].rpartition(".")[2] if stated is None else str(stated)
    if not SHAPE.fullmatch(name):
        raise UserError(f"{key}.name", name, "is no name of a metric.", "Take letters, digits and underscores.")
    if name in TAKEN:
        remedy = f"Give it another name: {{call: {call}, name: my_{name}, …}}"
        raise UserError(f"{key}.name", name, f"reward/{name} is another reading.", remedy)
    return name


def _reward_entry_number(key: str, value: object, least: float) -> float:
    """A number of an entry of reward.functions, checked."""
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not usable or float(value) < least:  # type: ignore[arg-type]
        raise UserError(key, value, "must be a number" + (f", at least {least}." if least > -math.inf else "."))
    return float(value)  # type: ignore[arg-type]


def check_reward_functions(nodes: Sequence[Mapping[str, Any]] | None) -> None:
    """Load the function of every entry of reward.functions and check its signature.

    Raises:
        UserError: one cannot be loaded, or cannot be called with what its entry and the program give.
    """
    for entry in reward_entries(nodes):
        function = load_callable(f"{entry.key}.call", entry.call)
        parameters_asked_for(entry.key, entry.call, function, OFFERED, entry.keywords, OWN_KEYS)

"""Renamed recipes: runs that were recorded under a name which another recipe has taken since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SETTINGS_UNTIL = {"tvo": {"rollout.prompts": 64, "rollout.samples": 2}}  # in which the one until 0.2 differs


def note_on_renamed_recipe(before: Mapping[str, Any], differing: list[str]) -> str:
    """Return the sentence that says how a recorded run goes on whose recipe has lost its name to another.

    Args:
        before: recorded settings by dotted key.
        differing: those in which the wanted run differs; beyond those of the two recipes it is another run.
    """
    name = str(before.get("algorithm.name"))
    until = SETTINGS_UNTIL.get(name, {})
    recorded_then = all(before.get(key) == value for key, value in until.items())
    if not differing or not recorded_then or not set(differing) <= set(until):
        return ""
    words = " ".join(f"{key}={value}" for key, value in until.items())
    return f"{name} was another recipe until 0.2: with {words} this goes on. "

"""Renamed recipes: runs that were recorded under a name which another recipe has taken since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tvo_cli.config.overrides import shell_override


class EarlierRecipe(NamedTuple):
    """What a name stood for: the recipe that has it now, what a run records of it, and all in which the two differ."""

    now: str
    recorded: Mapping[str, Any]
    others: tuple[str, ...]  # keys or groups that differ besides `recorded`


STEP_RULE = ("algorithm.step_rule.fluctuation", "algorithm.step_rule.schedule.end")
BOUNDED = {"algorithm.step_rule.minimum": None}  # recorded by neither: today's with a value changed is none of them
EARLIER = {
    "tvo": (
        EarlierRecipe("tvo_2025", {"rollout.prompts": 64, "rollout.samples": 2} | BOUNDED, STEP_RULE),  # until 0.2
        EarlierRecipe("tvo_one_response", {"algorithm.step_rule.schedule.end": 0.25} | BOUNDED, STEP_RULE),
    )
}


def note_on_renamed_recipe(before: Mapping[str, Any], differing: list[str], sweep: str = "") -> str:
    """Return the sentence that says how a recorded run goes on whose recipe has lost its name to another.

    Args:
        before: recorded settings by dotted key.
        differing: those in which the wanted run differs; beyond those of the two recipes it is another run.
        sweep: the folder of its sweep, which the words of the command name: other words, another folder.
    """
    name = str(before.get("algorithm.name"))
    found = next((one for one in EARLIER.get(name, ()) if _is_of(one, before, differing)), None)
    if found is None:
        return ""
    words = f"algorithm={found.now} algorithm.name={name}" + (
        " " + shell_override("output_dir", sweep) if sweep else ""
    )
    return f"{name} was another recipe until 0.2: with {words} this goes on. "


def _is_of(recipe: EarlierRecipe, before: Mapping[str, Any], differing: list[str]) -> bool:
    """Whether a run was recorded by a recipe, and differs in what is the recipe's alone."""
    own = (*recipe.recorded, *recipe.others)
    recorded_then = all(before.get(key) == value for key, value in recipe.recorded.items())
    return bool(differing) and recorded_then and all(f"{key}.".startswith(_groups(own)) for key in differing)


def _groups(keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{key}." for key in keys)

"""Renamed recipes: runs that were recorded under a name which another recipe has taken since."""

from __future__ import annotations

from typing import Any

from tvo_cli.config.fingerprints import config_fingerprint

FIRST_NAMES = {"tvo_2025": "tvo"}  # a recipe of today, and its name until 0.2
DIFFERING = {"tvo": ("rollout.prompts", "rollout.samples")}  # from the recipe that had the name until 0.2


def is_renamed_recipe(recorded: Any, wanted: Any) -> bool:
    """Return whether a recorded `algorithm.name` is the first name of the wanted one: `tvo` of `tvo_2025`."""
    return recorded is not None and FIRST_NAMES.get(str(wanted)) == recorded


def fingerprint_under_first_name(config: Any) -> str | None:
    """Return the fingerprint that a config had before its recipe was renamed; of any other recipe None."""
    from omegaconf import OmegaConf

    name = OmegaConf.select(config, "algorithm.name")
    if name not in FIRST_NAMES:
        return None
    before = config.copy()
    OmegaConf.update(before, "algorithm.name", FIRST_NAMES[name])
    return config_fingerprint(before)


def note_on_renamed_recipe(recorded: Any, differing: list[str]) -> str:
    """Return the sentence that names the recipe by which a recorded run goes on, where another has its name now.

    Args:
        recorded: its `algorithm.name`.
        differing: the settings in which the wanted run differs from it; beyond those of the two recipes it is another.
    """
    if not differing or not set(differing) <= set(DIFFERING.get(str(recorded), ())):
        return ""
    name = next(name for name, first in FIRST_NAMES.items() if first == recorded)
    return f"{recorded} was another recipe until 0.2: algorithm={name} goes on with it. "

"""The sources of dataset=mixture: what is no data set is refused, with the word that adds one."""

from __future__ import annotations

import json
from typing import Any

from tvo_cli.config.choices import choices_of_group
from tvo_cli.errors import UserError

SOURCES = "dataset.sources"
USUAL = "jsonl"  # in the advice, where the user has named no data set


def check_mixture_sources(config: Any) -> None:
    """Refuse sources that are no whole data sets, before any key that follows of them is resolved.

    Raises:
        UserError: a source has no `kind`; the data set is no mixture; the sources stand beside `dataset`.
    """
    from omegaconf import OmegaConf

    if _are_sources(config.get("sources")):
        name = next(iter(config.sources))
        remedy = f"Write '+dataset@{SOURCES}.{name}=…'"
        raise UserError(f"dataset@sources.{name}", "", f"sources are looked for in {SOURCES}.", remedy)
    dataset = config.get("dataset")
    sources: Any = dataset.get("sources") if OmegaConf.is_dict(dataset) else None
    if not OmegaConf.is_dict(sources):
        return
    if dataset.get("kind") != "mixture":
        remedy = "Write dataset=mixture, and this data set as a source of it."
        raise UserError(SOURCES, "+".join(map(str, sources)), "are of dataset=mixture alone.", remedy)
    for name, source in sources.items():
        if not (OmegaConf.is_dict(source) and source.get("kind")):
            raise source_error(str(name), source)


def _are_sources(found: Any) -> bool:
    """Return whether a key at the top holds data sets."""
    from omegaconf import OmegaConf

    return OmegaConf.is_dict(found) and any(OmegaConf.is_dict(one) and one.get("kind") for one in found.values())


def source_error(name: str, value: Any) -> UserError:
    """Return the error for a source that is no data set: a name alone, or some keys of one."""
    from omegaconf import OmegaConf

    known = choices_of_group("dataset")
    choice = value if value in known else USUAL
    keys = "" if value in known else f"; then {SOURCES}.{name}.KEY=… sets what differs"
    shown = json.dumps(OmegaConf.to_container(value)) if OmegaConf.is_config(value) else value
    problem = "is no data set: a source is a whole one, added by its name."
    remedy = f"Write '+dataset@{SOURCES}.{name}={choice}'{keys} (tvo list datasets)"
    return UserError(f"{SOURCES}.{name}", shown, problem, remedy)

"""What own code has registered: choices of config groups, by the module that defines them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tvo_cli.errors import UserError

NAME = re.compile(r"\w[\w.-]*")  # of a choice: it is a file's, and is typed in a shell


@dataclass(frozen=True)
class Registration:
    """A choice that a decorator has made of a function or class: `algorithm=mine`."""

    group: str
    name: str
    made_of: Callable[..., Any]
    path: tuple[str, ...]  # where in the yaml its `_target_` stands
    start: str  # the choice that the yaml starts from; "": none
    package: str  # of the yaml, for Hydra; "": the group's own
    about: str  # the yaml's first line
    changes: Mapping[str, Any] = field(default_factory=dict)  # further keys of the yaml
    partial: bool = False  # whether it is called with what is not in the yaml


_registered: dict[str, dict[tuple[str, str], Registration]] = {}


def add(found: Registration) -> None:
    """Remember a registration under the module that defines what it is made of.

    Raises:
        UserError: its name could not be typed as `group=name`, or names a file elsewhere.
    """
    if not NAME.fullmatch(found.name):
        remedy = "Take letters, digits, underscores, dashes and dots."
        raise UserError(f"register.{found.group}", found.name, "is no name of a choice.", remedy)
    _registered.setdefault(found.made_of.__module__, {})[found.group, found.name] = found


def forget_registrations(module: str) -> None:
    """Forget what a module has registered: it is loaded anew."""
    _registered.pop(module, None)


def modules_with_registrations() -> list[str]:
    """Return the names of all modules that have registered something."""
    return list(_registered)


def registrations_of(module: str) -> list[Registration]:
    """Return what a module, or any module of a package, has registered."""
    inside = (found for name, found in _registered.items() if f"{name}.".startswith(f"{module}."))
    return [one for found in inside for one in found.values()]

"""Instantiation of a node with a `_target_`.

A config file is code: `_target_` names a callable. `build` therefore reads the whole tree first and refuses
every name outside the allowed rooms before anything is imported or called.
"""

from __future__ import annotations

import inspect
from typing import Any

from tvo_cli.config.moved_targets import current_target
from tvo_cli.config.resolvers import resolved_tree
from tvo_cli.config.targets_in_tree import targets_in_tree, with_targets
from tvo_cli.errors import UserError, first_line_of_error
from tvo_cli.plugins.own_code_references import is_own_code_reference
from tvo_cli.plugins.own_failure import own_failure
from tvo_cli.plugins.own_targets import check_own_target_name, importable_name, own_target_object, plugin_of_target

BUILDABLE_ROOMS = (
    "advantage",
    "maths",
    "methods",
    "objective",
    "optim",
    "rollout",
    "stability",
)  # that conf/ builds from
ALLOWED = (*(f"tvo_cli.{room}." for room in BUILDABLE_ROOMS), "torch.optim.")


def build(node: Any) -> Any:
    """Instantiate the object that a node describes, its children first; `None` for `None`.

    Three passes over the resolved tree: every `_target_` is read, then every one is looked up, then Hydra
    instantiates (`_convert_="all"`: plain dicts and lists). A refusal in the first two leaves nothing built.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    tree = with_targets(resolved_tree(node), current_target)
    if tree is None:
        return None
    found = list(targets_in_tree(tree))
    for key, target in found:
        check_target_name(key, target)
    for key, target in found:
        check_target_object(key, target)
    try:
        return instantiate(with_targets(tree, _importable_target), _convert_="all")
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from error
        own = own_failure(error)
        if own is not None:
            raise own from error
        lines = str(error).split("\n")
        raise UserError("_target_", tree.get("_target_", "…"), " ".join(lines[:2]).rstrip(".") + ".") from error


def check_target_name(key: str, target: object) -> None:
    """Refuse a `_target_` outside the allowed rooms; a private or dunder part would reach out of them."""
    if _is_own(target):
        check_own_target_name(key, str(target))
        return
    allowed = isinstance(target, str) and target.startswith(ALLOWED)
    private = isinstance(target, str) and any(part.startswith("_") or not part for part in target.split("."))
    if not allowed or private:
        remedy = f"A config may build public things of torch.optim and of tvo_cli's {', '.join(BUILDABLE_ROOMS)} only."
        raise UserError(key, target, "refused before anything was built.", remedy)


def check_target_object(key: str, target: object) -> None:
    """Refuse a `_target_` that leads through an allowed module to something else (`tvo_cli.x.os.system`)."""
    from hydra.utils import get_object

    if _is_own(target):
        own_target_object(key, str(target))
        return
    try:
        found = get_object(str(target))
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(key, target, f"cannot be found: {first_line_of_error(error)}.") from error
    home = f"{getattr(found, '__module__', '')}."
    if inspect.ismodule(found) or not callable(found) or not home.startswith(ALLOWED):
        raise UserError(key, target, "refused: it is not a callable of tvo_cli's own parts or of torch.optim.")


def _is_own(target: object) -> bool:
    """Return whether a `_target_` to instantiate is own code, by how it is written or where it leads."""
    return isinstance(target, str) and (is_own_code_reference(target) or plugin_of_target(target) is not None)


def _importable_target(target: str) -> str:
    """Return a checked `_target_` as Python finds it: own code under the name that it was loaded by."""
    return importable_name(own_target_object("_target_", target)) if _is_own(target) else target


def target_object(key: str, target: str) -> Any:
    """Return what a `_target_` names, own code or this program's."""
    from hydra.utils import get_object

    return get_object(target) if plugin_of_target(target) is None else own_target_object(key, target)

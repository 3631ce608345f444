"""`_target_`s of own code: allowed where the user has named the plugin, and then only what it defines itself.

`mine.py:weight` leads into the plugin `mine.py`; `my_package.maths:weight` or `my_package.maths.weight` into
`my_package`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.plugins.code_sources import is_file_name, module_of_reference
from tvo_cli.plugins.own_code_loading import load_callable
from tvo_cli.plugins.own_code_references import is_own_code_reference, target_leads_into_plugin
from tvo_cli.plugins.plugin_loading import is_defined_in_plugin, load_plugin

_allowed: list[str] = []  # plugins that configs of this process name
_keys: dict[str, str] = {}  # the key of each `_target_` of own code in them


def allow_plugins(names: Sequence[str]) -> None:
    """Let nodes of configs in this process be built of these plugins; each config is held to its own."""
    _allowed.extend(name for name in names if name not in _allowed)


def check_plugins_of_config(targets: Iterable[tuple[str, object]], plugins: Sequence[str]) -> None:
    """Refuse a `_target_` of a plugin that another config of this process names, and this one does not."""
    for key, target in targets:
        plugin = plugin_of_target(target)
        if plugin is not None:
            _keys[str(target)] = key
        if plugin is not None and not any(target_leads_into_plugin(str(target), name) for name in plugins):
            problem = f"leads into {plugin}, no plugin of this config."
            raise UserError(key, target, problem, f"Name it: plugins=[{plugin}]")


def keys_of_targets() -> dict[str, str]:
    """Return the `_target_`s of own code in the configs of this process, with the key of each."""
    return dict(_keys)


def plugin_of_target(target: object) -> str | None:
    """Return the allowed plugin that a `_target_` leads into."""
    return next((name for name in _allowed if isinstance(target, str) and target_leads_into_plugin(target, name)), None)


def check_own_target_name(key: str, target: str) -> None:
    """Refuse own code of no plugin, and private parts, before anything is imported.

    Raises:
        UserError: the name of a plugin that is missing is said.
    """
    module = module_of_reference(target)
    dotted = target[len(module) + 1 :] if is_file_name(module) else target.replace(":", ".")
    if plugin_of_target(target) is None:
        named = (
            f"Name it: plugins=[{module}]" if is_file_name(module) else f"Name it: plugins=[{module.partition('.')[0]}]"
        )
        raise UserError(key, target, "is own code of no plugin, refused before anything was built.", named)
    if any(part.startswith("_") or not part for part in dotted.split(".")):
        raise UserError(key, target, "is private or names nothing, refused before anything was built.")


def own_target_object(key: str, target: str) -> Any:
    """Return the function or class of own code that a `_target_` names, its plugin loaded.

    Raises:
        UserError: there is none, or the plugin has it from elsewhere (`mine.py:os.system`).
    """
    plugin = plugin_of_target(target)
    assert plugin is not None, target
    load_plugin("plugins", plugin)
    found = load_callable(key, target if is_own_code_reference(target) else ":".join(target.rsplit(".", 1)))
    if inspect.ismodule(found) or not is_defined_in_plugin(plugin, str(getattr(found, "__module__", ""))):
        remedy = "Define a function or class of your own there."
        raise UserError(key, target, f"refused: {plugin} has it from elsewhere.", remedy)
    return found


def importable_name(found: Any) -> str:
    """Return the dotted name by which Python finds what a `_target_` of own code has loaded."""
    return f"{found.__module__}.{found.__qualname__}"

"""The record of own code in a composed config: which files and packages it names, and the sha256 of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tvo_cli.config import plugins_in_effect
from tvo_cli.config.targets_in_tree import targets_in_tree
from tvo_cli.errors import UserError
from tvo_cli.plugins.own_code_references import (
    own_code_references,
    referenced_plugins,
    target_leads_into_plugin,
)
from tvo_cli.plugins.plugin_loading import plugins_of_environment

if TYPE_CHECKING:
    from omegaconf import DictConfig

KEY = "own_code"


def record_plugins(config: DictConfig, named: Sequence[str]) -> None:
    """Record all plugins that act on a config in it, in place: from then on it needs no environment variable.

    `named`: by its own words and yamls. A plugin of the command around it (a sweep's other job), or of an installed
    package, is one of them where something of it is built.
    """
    from omegaconf import OmegaConf, open_dict

    given = OmegaConf.to_container(config.plugins, resolve=True) if OmegaConf.is_list(config.get("plugins")) else []
    variable = [one.name for one in plugins_of_environment()]
    found = [*named, *variable, *referenced_plugins({"plugins": given})]
    targets = [str(target) for _, target in targets_in_tree(OmegaConf.to_container(config, resolve=False))]
    around = plugins_in_effect.all_plugins()
    found += [one.name for one in around if any(target_leads_into_plugin(target, one.name) for target in targets)]
    if found:
        with open_dict(config):
            config.plugins = list(dict.fromkeys(found))


def record_own_code(config: DictConfig, root: str) -> None:
    """Write the sha256 of all own code that a composed config names into it, in place.

    Raises:
        UserError: somebody else has written there; a file or module is not there.
    """
    from omegaconf import open_dict

    from tvo_cli.config.schema.known_keys import resolved_tree_of_command

    if config.get(KEY):
        raise UserError(KEY, dict(config[KEY]), "is filled by the program.", "Leave it out.")
    found = referenced_code_fingerprints(resolved_tree_of_command(config, root))
    if found:
        with open_dict(config):
            config[KEY] = found


def clear_own_code_record(config: DictConfig) -> None:
    """Empty the record of a config that is to be checked again, in place."""
    if config.get(KEY):
        config[KEY] = {}


def recorded_own_code(config: Any) -> dict[str, str]:
    """Return what a config records: sha256 by file or package."""
    return dict(config.get(KEY) or {})


def referenced_code_fingerprints(tree: Mapping[str, Any]) -> dict[str, str]:
    """Return the sha256 of each source of own code that a resolved config names, by file or package.

    Raises:
        UserError: a file or module is not there; the key in which it is named is said.
    """
    from tvo_cli.plugins.code_sources import code_fingerprint

    first = {reference.source: reference for reference in reversed(list(own_code_references(tree)))}
    return {source: code_fingerprint(one.key, one.name) for source, one in sorted(first.items())}

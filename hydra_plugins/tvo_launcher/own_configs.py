"""The user's own folders of configs in Hydra's search path, before ours: ./conf, --config-dir, TVO_CONF, plugins.

Hydra imports this module to look for plugins whenever it starts, so it imports nothing but Hydra at its head.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hydra._internal.core_plugins import file_config_source
from hydra.plugins.search_path_plugin import SearchPathPlugin

if TYPE_CHECKING:
    from hydra.core.config_search_path import ConfigSearchPath
    from hydra.plugins.config_source import ConfigResult

SCHEME = "own"


class OwnConfigSource(file_config_source.FileConfigSource):
    """A folder of the user's: a yaml that cannot be read is named, and a train.yaml is not taken for ours."""

    @staticmethod
    def scheme() -> str:
        """Of paths in the search path: `own:///home/me/conf`."""
        return SCHEME

    def is_config(self, config_path: str) -> bool:
        """Whether there is such a yaml."""
        from tvo_cli.config.search_path import ROOTS

        return config_path.removesuffix(".yaml") not in ROOTS and super().is_config(config_path)

    def load_config(self, config_path: str) -> ConfigResult:
        """The yaml."""
        from tvo_cli.config.defaults_errors import check_defaults_list
        from tvo_cli.config.users_yaml import check_users_yaml_is_mapping, explain_unreadable_users_yaml

        path = Path(self.path, self._normalize_file_name(config_path))
        with explain_unreadable_users_yaml(path):
            found = super().load_config(config_path)
        check_users_yaml_is_mapping(path, found.config)
        check_defaults_list(path)
        return found


class OwnConfigs(SearchPathPlugin):
    """Puts the user's folders before conf/, for this program only: Hydra asks every plugin for every program."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Hydra's hook."""
        from tvo_cli.config.groups import conf_dir
        from tvo_cli.config.search_path import users_config_folders

        places = [str(one.path).removeprefix("file://") for one in search_path.get_path() if one.provider == "main"]
        if places != [str(conf_dir())]:
            return
        for one in users_config_folders():  # each goes right before ours, so after those before it
            search_path.prepend(one.origin, f"{SCHEME}://{one.path}", anchor="main")

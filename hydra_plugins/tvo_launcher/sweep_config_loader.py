"""The composition of a sweep's jobs: each yaml is read once for all of them, and each job is composed once.

Hydra imports this module to look for plugins whenever it starts, so it imports nothing but Hydra at its head.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra._internal.config_repository import ConfigRepository

if TYPE_CHECKING:
    from hydra.core.config_search_path import ConfigSearchPath
    from hydra.plugins.config_source import ConfigResult
    from omegaconf import DictConfig


class RememberingRepository(ConfigRepository):
    """Hydra's repository of config files, which keeps what it has read, for every job that is composed from it."""

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        """Hydra's hook: another search path has other files."""
        super().initialize_sources(config_search_path)
        self._read: dict[str, ConfigResult | None] = {}

    def load_config(self, config_path: str) -> ConfigResult | None:
        """Return a file's content, of which every composition changes a copy of its own."""
        if config_path not in self._read:
            self._read[config_path] = super().load_config(config_path)
        return copy.deepcopy(self._read[config_path])

    def __deepcopy__(self, memo: object) -> RememberingRepository:
        """Return the copy that Hydra takes for each composition, with what has been read so far and will be."""
        return copy.copy(self)


class SweepConfigLoader:
    """Hydra's config loader in a sweep: what the sweeper has composed to check a job, the launcher need not again."""

    def __init__(self, loader: Any) -> None:
        self._loader, self._checked = loader, dict[tuple[str, ...], "DictConfig"]()
        loader.repository = RememberingRepository(loader.config_search_path)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """Compose a job's config, for the sweeper's check."""
        found: DictConfig = self._loader.load_sweep_config(master_config, sweep_overrides)
        self._checked[tuple(sweep_overrides)] = found
        return found

    def take_job_config(self, master_config: DictConfig, sweep_overrides: Sequence[str]) -> DictConfig:
        """Return a job's config, for its launch: the one that was checked, where there is one."""
        found = self._checked.pop(tuple(sweep_overrides), None)
        if found is None:
            found = self._loader.load_sweep_config(master_config, list(sweep_overrides))
        return found

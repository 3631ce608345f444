"""Hydra's work, done once: the yaml files that are read and the configs that are composed in a test session."""

from __future__ import annotations

import copy
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.utils import JobRuntime
from omegaconf import open_dict

from tvo_cli import config

compose = ConfigLoaderImpl._load_configuration_impl
load = FileConfigSource.load_config
OURS = str(config.conf_dir())  # a test that puts another folder in its place composes from it
kept: dict[tuple[Any, ...], Any] = {}


def remember(patch: pytest.MonkeyPatch) -> None:
    """Until the patch is undone, what was read and composed is copied instead."""
    patch.setattr(ConfigLoaderImpl, "_load_configuration_impl", composing)
    patch.setattr(FileConfigSource, "load_config", loading)


def composing(self: ConfigLoaderImpl, config_name: str, overrides: list[str], *rest: Any, **named: Any) -> Any:
    """Hydra's config for a command; one that looks into other folders than conf/ is composed anew."""
    places = {source.path for source in self.repository.get_sources() if source.scheme() == "file"}
    key = (JobRuntime().get("name"), config_name, *overrides, *rest, *named.items())
    if places != {OURS} or any("searchpath" in word for word in overrides):
        return compose(self, config_name, overrides, *rest, **named)
    if key not in kept:
        kept[key] = compose(self, config_name, overrides, *rest, **named)
    found = copy.deepcopy(kept[key])
    with open_dict(found.hydra):
        found.hydra.runtime.cwd = str(Path.cwd())
    return found


@lru_cache(maxsize=1024)
def _loaded(folder: str, name: str, changed: int, size: int) -> Any:
    return load(FileConfigSource("main", f"file://{folder}"), name)


def loading(self: FileConfigSource, config_path: str) -> Any:
    """A yaml file as Hydra holds it; one that has changed is read again."""
    place = Path(self.path, self._normalize_file_name(config_path))
    if not place.is_file():
        return load(self, config_path)
    state = place.stat()
    result = copy.copy(_loaded(self.path, config_path, state.st_mtime_ns, state.st_size))
    result.provider, result.config, result.header = self.provider, copy.deepcopy(result.config), dict(result.header)
    return result

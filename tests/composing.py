"""Hydra's work, done once: the yaml files that are read and the configs that are composed in a test session.

What is kept is pickled: a copy takes 2 ms so, and 13 by deepcopy.
"""

from __future__ import annotations

import copy
import pickle
from dataclasses import astuple, replace
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hydra._internal import config_loader_impl, defaults_list
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, ConfigRepository
from hydra._internal.instantiate import _instantiate2 as instantiation
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.plugins import Plugins
from hydra.core.utils import JobRuntime
from omegaconf import DictConfig, OmegaConf, _utils, flag_override, grammar_parser, open_dict
from omegaconf import base as nodes

from tvo_cli import config

compose = ConfigLoaderImpl._load_configuration_impl
join = ConfigLoaderImpl._compose_config_from_defaults_list
choose = config_loader_impl.create_defaults_list
find = ConfigRepository.load_config
copy_sources = CachingConfigRepository.__init__
map_choices = defaults_list._create_interpolation_map
parse = grammar_parser.parse
Plugins.instance()  # it looks for plugins, and makes the class of sources anew
FileConfigSource: Any = SourcesRegistry.instance().resolve("file")
load = FileConfigSource.load_config
OURS = str(config.conf_dir())  # a test that puts another folder in its place composes from it
kept: dict[tuple[Any, ...], Any] = {}


def remember(patch: pytest.MonkeyPatch) -> None:
    """Until the patch is undone, what was read and composed is copied instead."""
    for owner, name, _, keeping in replaced():
        patch.setattr(owner, name, keeping)


def forget(patch: pytest.MonkeyPatch) -> None:
    """Until the patch is undone, everything is Hydra's own again."""
    for owner, name, hydras, _ in replaced():
        patch.setattr(owner, name, hydras)


def replaced() -> list[tuple[Any, str, Any, Any]]:
    """What is replaced: its owner, its name, Hydra's function and the one that keeps."""
    return [
        (ConfigLoaderImpl, "_load_configuration_impl", compose, composing),
        (ConfigLoaderImpl, "_compose_config_from_defaults_list", join, joining),
        (config_loader_impl, "create_defaults_list", choose, choosing),
        (ConfigRepository, "load_config", find, finding),
        (FileConfigSource, "load_config", load, loading),
        (CachingConfigRepository, "__init__", copy_sources, sharing_sources),
        (defaults_list, "_create_interpolation_map", map_choices, mapping_choices),
        (instantiation, "copy", copy, CopiesOnce),
        (nodes, "parse", parse, parsing),
        (_utils, "parse", parse, parsing),
    ]


def composing(self: ConfigLoaderImpl, config_name: str, overrides: list[str], *rest: Any, **named: Any) -> Any:
    """Hydra's config for a command; one that looks into other folders than conf/ is composed anew."""
    key = (JobRuntime().get("name"), config_name, *overrides, *rest, *named.items())
    if not _is_ours(self.repository) or any("searchpath" in word for word in overrides):
        return compose(self, config_name, overrides, *rest, **named)
    if key not in kept:
        kept[key] = pickle.dumps(compose(self, config_name, overrides, *rest, **named))
    found = pickle.loads(kept[key])
    with open_dict(found.hydra):
        found.hydra.runtime.cwd = str(Path.cwd())
    return found


def choosing(repo: Any, config_name: str, overrides_list: list[Any], *rest: Any, **named: Any) -> Any:
    """The files of a config: they depend on the words that choose files, and on no other word."""
    groups = [word for word in overrides_list if repo.group_exists(word.key_or_group)]
    words = [word for word in overrides_list if word not in groups]
    if not _is_ours(repo) or any(word.is_sweep_override() for word in overrides_list):
        return choose(repo, config_name, overrides_list, *rest, **named)
    key = ("files", config_name, *(word.input_line for word in groups), *rest, *named.items())
    if key not in kept:
        kept[key] = choose(repo, config_name, groups, *rest, **named)
    if kept[key].config_overrides:  # a word that gives a whole group: its place among the others matters
        return choose(repo, config_name, overrides_list, *rest, **named)
    return replace(kept[key], config_overrides=words)


def joining(self: ConfigLoaderImpl, defaults: list[Any], repo: Any) -> Any:
    """The files as one config, before the words that set single values: from the longest row of them joined before."""
    if not _is_ours(repo):
        return join(self, defaults=defaults, repo=repo)
    keys = [("joined", *row) for row in accumulate(((astuple(one),) for one in defaults), initial=())]
    done = next((length for length in range(len(defaults), 0, -1) if keys[length] in kept), 0)
    config = pickle.loads(kept[keys[done]]) if done else OmegaConf.create()
    for place in range(done, len(defaults)):
        with flag_override(config, "no_deepcopy_set_nodes", True):
            config.merge_with(self._load_single_config(default=defaults[place], repo=Copies(repo)).config)
        kept[keys[place + 1]] = pickle.dumps(config)
    _without_defaults(config)
    return config


def _without_defaults(config: Any) -> None:
    """Take the lists of files out of a joined config, as Hydra does at the end."""
    if not isinstance(config, DictConfig) or config._is_missing() or config._is_none():
        return
    if config._get_flag("HYDRA_REMOVE_TOP_LEVEL_DEFAULTS"):
        config._set_flag("HYDRA_REMOVE_TOP_LEVEL_DEFAULTS", None)
        with flag_override(config, ["readonly", "struct"], False):
            config.pop("defaults", None)
    for _, value in config.items_ex(resolve=False):
        _without_defaults(value)


class Copies:
    """A repository whose files are copied: what is joined becomes part of the whole."""

    def __init__(self, repo: Any) -> None:
        self.repo = repo

    def load_config(self, config_path: str) -> Any:
        """A file that may be changed."""
        result = copy.copy(self.repo.load_config(config_path=config_path))
        result.config = copy.deepcopy(result.config)
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self.repo, name)


def finding(self: ConfigRepository, config_path: str) -> Any:
    """A file of conf/ with its own list of files; only read, never changed."""
    if not _is_ours(self):
        return find(self, config_path)
    key = ("found", config_path)
    if key not in kept:
        kept[key] = find(self, config_path)
    return kept[key]


def _is_ours(repo: Any) -> bool:
    """Whether the files are those of conf/ and no others."""
    return {source.path for source in repo.get_sources() if source.scheme() in ("file", "own")} == {OURS}


def sharing_sources(self: Any, delegate: Any) -> None:
    """A repository with the delegate's sources, which are only read; Hydra copies each of them."""
    self.delegate, self.cache = copy.copy(delegate), {}
    self.delegate.sources = list(delegate.sources)


def mapping_choices(overrides: Any, defaults_list: list[Any], self_added: bool) -> Any:
    """The choices that a default may refer to; made where one does."""
    refers = any(default.is_interpolation() for default in defaults_list)
    return map_choices(overrides, defaults_list, self_added) if refers else None


class CopiesOnce:
    """In place of `copy` where Hydra instantiates: what it has just made of a plain tree need not be copied again."""

    @staticmethod
    def deepcopy(config: Any) -> Any:
        """A config of its own."""
        is_new = config._get_parent() is None and config._metadata.flags == {"allow_objects": True}
        return config if is_new else copy.deepcopy(config)


@lru_cache(maxsize=4096)
def parsing(value: str, parser_rule: str = "configValue", lexer_mode: str = "DEFAULT_MODE") -> Any:
    """The parse tree of a text with interpolations; it is only read, and grammars take a third of resolving."""
    return parse(value, parser_rule, lexer_mode)


@lru_cache(maxsize=1024)
def _loaded(name: str, content: bytes) -> Any:
    with TemporaryDirectory() as folder:
        place = Path(folder, FileConfigSource._normalize_file_name(name))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return load(FileConfigSource("main", f"file://{folder}"), name)


def loading(self: Any, config_path: str) -> Any:
    """A yaml file as Hydra holds it: of the same content, wherever it lies."""
    place = Path(self.path, self._normalize_file_name(config_path))
    if not place.is_file():
        return load(self, config_path)
    try:
        result = copy.copy(_loaded(config_path, place.read_bytes()))
    except Exception:  # which names the file: let it be the right one
        return load(self, config_path)
    result.path, result.provider = f"{self.scheme()}://{self.path}", self.provider
    result.config, result.header = copy.deepcopy(result.config), dict(result.header)
    return result

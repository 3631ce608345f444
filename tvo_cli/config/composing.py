"""Composition of a config from conf/ and overrides: Hydra's compose API, with our errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tvo_cli.config import groups, renamed_keys
from tvo_cli.config.evaluation_choices import check_evaluation_choice
from tvo_cli.config.hydra_errors import explain_hydra_error
from tvo_cli.config.mixture_sources import check_mixture_sources
from tvo_cli.config.overrides import normalised_overrides
from tvo_cli.config.own_code_record import record_own_code, record_plugins
from tvo_cli.config.plugins_in_effect import plugins_in_effect
from tvo_cli.config.recipes_side_by_side import check_recipes_side_by_side
from tvo_cli.config.resolvers import register_resolvers, resolved_tree

if TYPE_CHECKING:
    from omegaconf import DictConfig


@contextmanager
def _initialised_hydra(folder: Path) -> Iterator[None]:
    """Initialise Hydra's compose API over a folder; the Hydra of a running job comes back afterwards."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    register_resolvers()
    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(folder.resolve()), version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = running


def compose(overrides: Sequence[str] = (), root: str = "train", folder: Path | None = None) -> DictConfig:
    """Compose a config from conf/ROOT.yaml and overrides, checked, without sweeps and without the hydra node.

    One from another `folder` than conf/ is only composed: what its keys mean is not known here.
    """
    config = _composed_with_hydra_node(overrides, root, folder)
    return _checked_without_hydra_node(config, overrides, root, folder)


def compose_job(overrides: Sequence[str], root: str) -> DictConfig:
    """Compose the config of a job that runs in this process, as a launch does: output_dir is the folder, absolute."""
    config = _composed_with_hydra_node(overrides, root, None)
    place = str(Path(str(config.hydra.run.dir)).absolute())
    config = _checked_without_hydra_node(config, overrides, root, None)
    config.output_dir = place
    return config


def _composed_with_hydra_node(overrides: Sequence[str], root: str, folder: Path | None) -> DictConfig:
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    overrides = normalised_overrides(overrides)
    try:
        return compose_unexplained(overrides, root, folder)
    except (HydraException, OmegaConfBaseException) as error:
        raise explain_hydra_error(error, overrides, root, folder) from error


def compose_unexplained(overrides: Sequence[str], root: str, folder: Path | None) -> DictConfig:
    """Compose a config with the hydra node; what Hydra refuses is raised as Hydra's own error."""
    from hydra import compose as hydra_compose

    with plugins_in_effect(overrides, root), _initialised_hydra(folder or groups.conf_dir()):
        config: DictConfig = hydra_compose(root, overrides=list(overrides), return_hydra_config=True)
    return config


def _checked_without_hydra_node(
    config: DictConfig, overrides: Sequence[str], root: str, folder: Path | None
) -> DictConfig:
    from omegaconf import open_dict

    sources = config.hydra.runtime.config_sources
    with open_dict(config):
        del config["hydra"]
    if folder is None:
        check_composed_config(config, root, normalised_overrides(overrides), sources)
    return config


def sweep_parameters(overrides: Sequence[str], root: str = "train") -> list[str]:
    """Return what `hydra.sweeper.params` of the chosen files adds to a command: a preset may bring its own sweep."""
    from hydra import compose as hydra_compose
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        parsed = zip(overrides, OverridesParser.create().parse_overrides(list(overrides)), strict=True)
        single = [word for word, override in parsed if not override.is_sweep_override()]  # as Hydra's own multirun
        with plugins_in_effect(overrides, root), _initialised_hydra(groups.conf_dir()):
            hydra_node = hydra_compose(root, overrides=single, return_hydra_config=True).hydra
    except (HydraException, OmegaConfBaseException) as error:
        raise explain_hydra_error(error, overrides, root) from error
    return [f"{key}={value}" for key, value in (hydra_node.sweeper.get("params") or {}).items()]


def check_composed_config(
    config: DictConfig, root: str, overrides: Sequence[str], sources: Sequence[object] = ()
) -> None:
    """Check a composed config against the schema, normalise its texts and record the own code it names, in place.

    `sources`: hydra.runtime.config_sources, to name the file in which a wrong key stands.
    """
    from tvo_cli.config import schema  # pydantic, which `--help` and `list` do without

    renamed_keys.rename_keys_of_config(config)
    if root in schema.CONFIG_OF_COMMAND:
        check_evaluation_choice(config, root, overrides)
        check_mixture_sources(config)
        folders = tuple(schema.users_folders_to_locate_keys(sources))
        with plugins_in_effect(overrides, root) as named:
            record_plugins(config, named)
            check_recipes_side_by_side(config, overrides)
            schema.normalise_and_validate(config, root, schema.ConfigSources(tuple(overrides), folders))
            record_own_code(config, root)


def load_recorded_config(text: str) -> DictConfig:
    """Load the config that a run wrote down, also one of an earlier version of this program."""
    from omegaconf import OmegaConf

    from tvo_cli.config import schema

    return OmegaConf.create(schema.upgrade_recorded_config(resolved_tree(OmegaConf.create(text))))

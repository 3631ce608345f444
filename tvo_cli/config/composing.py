"""One config from conf/ and overrides: Hydra's compose API, with our errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tvo_cli.config import describing, renamed_keys
from tvo_cli.config.explaining import explain
from tvo_cli.config.overrides import normalized
from tvo_cli.config.resolving import plain, register_resolvers

if TYPE_CHECKING:
    from omegaconf import DictConfig


@contextmanager
def _initialised(folder: Path) -> Iterator[None]:
    """Hydra's compose API over a folder; the Hydra of a running job, if there is one, comes back afterwards."""
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
    """One config from conf/ROOT.yaml and Hydra overrides, checked, without sweeps and without the hydra node.

    One from another `folder` than conf/ is only composed: what its keys mean is not known here.
    """
    from hydra import compose as hydra_compose
    from hydra.errors import HydraException
    from omegaconf import open_dict
    from omegaconf.errors import OmegaConfBaseException

    overrides = normalized(overrides)
    try:
        with _initialised(folder or describing.conf_dir()):
            config: DictConfig = hydra_compose(root, overrides=overrides, return_hydra_config=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise explain(error, overrides, root, folder) from error
    sources = config.hydra.runtime.config_sources
    with open_dict(config):
        del config["hydra"]
    if folder is None:
        declare(config, root, overrides, sources)
    return config


def sweep_parameters(overrides: Sequence[str], root: str = "train") -> list[str]:
    """What `hydra.sweeper.params` of the chosen files adds to a command: a preset may bring its own sweep."""
    from hydra import compose as hydra_compose
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        parsed = zip(overrides, OverridesParser.create().parse_overrides(list(overrides)), strict=True)
        single = [word for word, override in parsed if not override.is_sweep_override()]  # as Hydra's own multirun
        with _initialised(describing.conf_dir()):
            hydra_node = hydra_compose(root, overrides=single, return_hydra_config=True).hydra
    except (HydraException, OmegaConfBaseException) as error:
        raise explain(error, overrides, root) from error
    return [f"{key}={value}" for key, value in (hydra_node.sweeper.get("params") or {}).items()]


def declare(config: DictConfig, root: str, overrides: Sequence[str], sources: Sequence[object] = ()) -> None:
    """Hold a composed config against the declaration of its keys, and read its texts as they are meant, in place.

    `sources`: hydra.runtime.config_sources, to name the file in which a wrong key stands.
    """
    from tvo_cli.config import schema  # pydantic, which `--help` and `list` do without

    renamed_keys.rename_config(config)
    if root in schema.ROOTS:
        schema.prepare(config, root, schema.Given(tuple(overrides), tuple(schema.folders(sources))))


def recorded(text: str) -> DictConfig:
    """The config of a run, as it or an earlier version of this program wrote it down."""
    from omegaconf import OmegaConf

    from tvo_cli.config import schema

    return OmegaConf.create(schema.upgraded(plain(OmegaConf.create(text))))

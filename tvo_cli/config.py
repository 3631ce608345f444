"""Compose conf/ into one configuration, and build objects from it. Files are the registry: there is no other."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvo_cli.errors import UserError

if TYPE_CHECKING:
    from omegaconf import DictConfig

_INSTALLED = Path(__file__).parent / "conf"
_CHECKOUT = Path(__file__).parent.parent / "conf"
ALLOWED_TARGETS = ("tvo_cli.", "torch.optim.")


def conf_dir() -> Path:
    """conf/ inside an installed wheel, or of this checkout."""
    return _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT


def names(group: str) -> list[str]:
    """What a config group offers: its files, those with a leading underscore apart."""
    return sorted(path.stem for path in (conf_dir() / group).glob("[!_]*.yaml"))


def groups() -> list[str]:
    """The config groups: the folders."""
    return sorted(path.name for path in conf_dir().iterdir() if path.is_dir())


def about(group: str, name: str) -> str:
    """The first comment line of a config file, Hydra's `# @package` header apart: its documentation."""
    text = (conf_dir() / group / f"{name}.yaml").read_text(encoding="utf-8")
    comments = (line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("#"))
    return next((line for line in comments if not line.startswith("@")), "")


def nearest(word: str, offered: Sequence[str]) -> str:
    """A sentence with the names closest to a word, or with all of them."""
    close = difflib.get_close_matches(word, offered, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(close)}?" if close else f"Choose {', '.join(offered)}."


def register_resolvers() -> None:
    """`${times:a,b}`: the product of two numbers; the only arithmetic a configuration may do."""
    from omegaconf import OmegaConf

    if not OmegaConf.has_resolver("times"):
        OmegaConf.register_new_resolver("times", lambda a, b: float(a) * float(b))


def compose(overrides: Sequence[str] = (), root: str = "train") -> DictConfig:
    """The configuration that conf/<root>.yaml and Hydra overrides such as algorithm=ppo describe."""
    import hydra

    register_resolvers()
    with hydra.initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        return hydra.compose(root, list(overrides))


def build(node: Any) -> Any:
    """What a node with _target_ describes; every _target_ of the tree is checked before anything is built."""
    from hydra.utils import instantiate

    for key, target in _targets(node, ""):
        if not str(target).startswith(ALLOWED_TARGETS):
            raise UserError(f"{key}_target_", target, "is not allowed.", f"Targets begin with {ALLOWED_TARGETS}.")
    return instantiate(node, _convert_="all")


def _targets(node: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    from omegaconf import DictConfig, ListConfig

    if isinstance(node, DictConfig | dict):
        for key, value in node.items():
            if key == "_target_":
                yield prefix, value
            yield from _targets(value, f"{prefix}{key}.")
    elif isinstance(node, ListConfig | list):
        for index, value in enumerate(node):
            yield from _targets(value, f"{prefix}{index}.")

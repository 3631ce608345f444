"""The groups of configs: the folders of conf/ that hold yamls, which of them a command takes; where conf/ lies."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tvo_cli.errors import UserError
from tvo_cli.nearest_names import nearest_names


def conf_dir() -> Path:
    """Return the folder conf/: inside the installed package, else beside it in the checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "train.yaml").is_file():
            return folder
    raise UserError("conf", package / "conf", "no configuration was installed with the package.", "Reinstall.")


def groups_of_package() -> list[str]:
    """Return the groups that conf/, the last folder of the search path, has."""
    return list(_groups_of_package(conf_dir()))


@cache
def _groups_of_package(folder: Path) -> tuple[str, ...]:
    """The groups of conf/, read once."""
    return tuple(_groups_of_folder(folder))


def _groups_of_folder(folder: Path) -> list[str]:
    """Return the groups of a folder of configs: its folders with a yaml in them."""
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and any(path.glob("*.yaml")))


def config_groups(folder: Path | None = None) -> list[str]:
    """Return the names of the config groups: folders of conf/ that hold a yaml."""
    return _groups_of_folder(folder) if folder else groups_of_package()


def find_group(word: str, folder: Path | None = None) -> str:
    """Return the config group that a user means by `word`: `algorithm`, `algorithms`, `stabilities` …"""
    known = config_groups(folder)
    for candidate in (word, word.removesuffix("s"), word.removesuffix("ies") + "y"):
        if candidate in known:
            return candidate
    raise UserError("group", word, "there is no such group.", nearest_names(word, known))


def groups_of_command(root: str) -> list[str]:
    """Return the groups of which a command takes a choice: those in the defaults of conf/ROOT.yaml."""
    from omegaconf import OmegaConf

    defaults = OmegaConf.select(OmegaConf.load(conf_dir() / f"{root}.yaml"), "defaults") or []
    named = [str(key) for entry in defaults if not isinstance(entry, str) for key in entry]
    return sorted(key for key in named if not key.startswith("override "))

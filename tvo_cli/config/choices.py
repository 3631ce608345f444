"""The choices of a group: the yamls of all folders of configs, which of them counts, the comment that describes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tvo_cli.config.groups import conf_dir
from tvo_cli.config.search_path import ConfigFolder, config_folders, users_config_folders


class ChoiceDescription(NamedTuple):
    """The comment line of a choice, parsed: what it is, what it changes, the paper."""

    what: str
    changes: str
    paper: str


def choices_of_group(group: str, folder: Path | None = None) -> list[str]:
    """Return the choices of a group; files that begin with an underscore are parts of others."""
    folders = [folder] if folder else [one.path for one in config_folders()]
    files = (path for one in folders for path in (one / group).glob("*.yaml"))
    return sorted({path.stem for path in files if not path.stem.startswith("_")})


def choice_path(group: str, name: str, folder: Path | None = None) -> Path:
    """Return the yaml of a choice: the user's where there is one of that name."""
    found = None if folder else choice_file(group, name)
    return found or (folder or conf_dir()) / group / f"{name}.yaml"


def choice_with_key(key: str, folder: Path | None = None) -> str:
    """Return the first choice of the key's group whose yaml states it, as `adapter=lora`; "" where none does."""
    from omegaconf import OmegaConf

    group, _, rest = key.partition(".")
    for choice in choices_of_group(group, folder) if rest else ():
        tree = OmegaConf.load(choice_path(group, choice, folder))
        if OmegaConf.is_missing(tree, rest) or OmegaConf.select(tree, rest, default=None) is not None:
            return f"{group}={choice}"
    return ""


def choice_comment(group: str, name: str, folder: Path | None = None) -> str:
    """Return the first comment line of a choice's yaml: what it is, with paper and what it changes."""
    text = choice_path(group, name, folder).read_text(encoding="utf-8")
    comments = (line.lstrip("# ").strip() for line in text.split("\n") if line.startswith("#"))
    return next((line for line in comments if not line.startswith(("@", "yaml-language-server:"))), "")


def parse_choice_comment(line: str) -> ChoiceDescription:
    """Parse a choice's comment: `what. Changes GRPO at: x. arXiv:1` → what, `GRPO at: x`, `arXiv:1`."""
    paper = re.search(r"arXiv:\d{4}\.\d{4,5}(?:v\d+)?|[A-Z][\w-]+(?: et al\.)? (?:19|20)\d\d(?=\.?$)", line)
    rest = re.sub(rf"[,;]?\s*{re.escape(paper.group())}", "", line, count=1) if paper else line
    changes = re.search(r"Changes (.+?)\.?\s*$", rest)
    what = rest[: changes.start()] if changes else rest
    return ChoiceDescription(
        what.strip().rstrip(".").strip(),
        changes.group(1).strip().rstrip(".") if changes else "",
        paper.group() if paper else "",
    )


def choice_file(group: str, name: str) -> Path | None:
    """Return the yaml of a choice: the first of the folders that has it."""
    return yaml_of_choice(config_folders(), group, name)


def origin_of_choice(group: str, name: str) -> str:
    """Return whose the yaml of a choice is: `./conf`, `plugin ./mine.py`; "" for the package's own."""
    found = next((one for one in users_config_folders() if (one.path / group / f"{name}.yaml").is_file()), None)
    return found.origin if found else ""


def yaml_of_choice(folders: Sequence[ConfigFolder], group: str, name: str) -> Path | None:
    """Return the yaml of a choice: the first of the folders that has it."""
    return next((path for one in folders if (path := one.path / group / f"{name}.yaml").is_file()), None)

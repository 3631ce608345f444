"""The groups of all folders of configs, their choices, and the comment line that describes each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from tvo_cli.config import search_path
from tvo_cli.config.search_path import conf_dir, groups_in, groups_of_package
from tvo_cli.errors import UserError
from tvo_cli.nearest_names import nearest_names


class ChoiceDescription(NamedTuple):
    """The comment line of a choice, parsed: what it is, what it changes, the paper."""

    what: str
    changes: str
    paper: str


def config_groups(folder: Path | None = None) -> list[str]:
    """Return the names of the config groups: folders of conf/ that hold a yaml."""
    return groups_in(folder) if folder else groups_of_package()


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


def choices_of_group(group: str, folder: Path | None = None) -> list[str]:
    """Return the choices of a group; files that begin with an underscore are parts of others."""
    folders = [folder] if folder else [one.path for one in search_path.config_folders()]
    files = (path for one in folders for path in (one / group).glob("*.yaml"))
    return sorted({path.stem for path in files if not path.stem.startswith("_")})


def choice_path(group: str, name: str, folder: Path | None = None) -> Path:
    """Return the yaml of a choice: the user's where there is one of that name."""
    found = None if folder else search_path.choice_file(group, name)
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

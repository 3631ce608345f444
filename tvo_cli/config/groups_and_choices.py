"""The folder conf/: its groups, their choices, and the comment line that describes each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from tvo_cli.config.nearest_names import nearest_names
from tvo_cli.errors import UserError


class ChoiceDescription(NamedTuple):
    """The comment line of a choice, parsed: what it is, what it changes, the paper."""

    what: str
    changes: str
    paper: str


def conf_dir() -> Path:
    """Return the folder conf/: inside the installed package, else beside it in the checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "train.yaml").is_file():
            return folder
    raise UserError("conf", package / "conf", "no configuration was installed with the package.", "Reinstall.")


def config_groups(folder: Path | None = None) -> list[str]:
    """Return the names of the config groups: folders of conf/ that hold a yaml."""
    root = folder or conf_dir()
    return sorted(path.name for path in root.iterdir() if path.is_dir() and any(path.glob("*.yaml")))


def find_group(word: str, folder: Path | None = None) -> str:
    """Return the config group that a user means by `word`: `algorithm`, `algorithms`, `stabilities` …"""
    known = config_groups(folder)
    for candidate in (word, word.removesuffix("s"), word.removesuffix("ies") + "y"):
        if candidate in known:
            return candidate
    raise UserError("group", word, "there is no such group.", nearest_names(word, known))


def choices_of_group(group: str, folder: Path | None = None) -> list[str]:
    """Return the choices of a group; files that begin with an underscore are parts of others."""
    files = ((folder or conf_dir()) / group).glob("*.yaml")
    return sorted(path.stem for path in files if not path.stem.startswith("_"))


def choice_with_key(key: str, folder: Path | None = None) -> str:
    """Return the first choice of the key's group whose yaml states it, as `adapter=lora`; "" where none does."""
    from omegaconf import OmegaConf

    group, _, rest = key.partition(".")
    for choice in choices_of_group(group, folder) if rest else ():
        tree = OmegaConf.load((folder or conf_dir()) / group / f"{choice}.yaml")
        if OmegaConf.is_missing(tree, rest) or OmegaConf.select(tree, rest, default=None) is not None:
            return f"{group}={choice}"
    return ""


def choice_comment(group: str, name: str, folder: Path | None = None) -> str:
    """Return the first comment line of a choice's yaml: what it is, with paper and what it changes."""
    text = ((folder or conf_dir()) / group / f"{name}.yaml").read_text(encoding="utf-8")
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

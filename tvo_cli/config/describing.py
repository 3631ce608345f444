"""Where conf/ is and what it offers: groups, choices, and the comment line that says what each is."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tvo_cli.errors import UserError


class About(NamedTuple):
    """The first comment line of a yaml, taken apart."""

    what: str
    changes: str
    paper: str


def conf_dir() -> Path:
    """The folder of the configs: inside the installed package, else beside it in the checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "train.yaml").is_file():
            return folder
    raise UserError("conf", package / "conf", "no configuration was installed with the package.", "Reinstall.")


def groups(folder: Path | None = None) -> list[str]:
    """The names of the config groups: folders of conf/ that hold a yaml."""
    root = folder or conf_dir()
    return sorted(path.name for path in root.iterdir() if path.is_dir() and any(path.glob("*.yaml")))


def group_called(word: str, folder: Path | None = None) -> str:
    """The group a person means by `word`: `algorithm`, `algorithms`, `stabilities` …"""
    known = groups(folder)
    for candidate in (word, word.removesuffix("s"), word.removesuffix("ies") + "y"):
        if candidate in known:
            return candidate
    raise UserError("group", word, "there is no such group.", nearest(word, known))


def names(group: str, folder: Path | None = None) -> list[str]:
    """The choices of a group; files that begin with an underscore are parts of others, not choices."""
    files = ((folder or conf_dir()) / group).glob("*.yaml")
    return sorted(path.stem for path in files if not path.stem.startswith("_"))


def about(group: str, name: str, folder: Path | None = None) -> str:
    """The first comment line of a choice: what it is, with paper and what it changes."""
    text = ((folder or conf_dir()) / group / f"{name}.yaml").read_text(encoding="utf-8")
    comments = (line.lstrip("# ").strip() for line in text.split("\n") if line.startswith("#"))
    return next((line for line in comments if not line.startswith(("@", "yaml-language-server:"))), "")


def take_apart(line: str) -> About:
    """`what. Changes GRPO at: x. arXiv:1` → what, `GRPO at: x`, `arXiv:1`."""
    paper = re.search(r"arXiv:\d{4}\.\d{4,5}(?:v\d+)?|[A-Z][\w-]+(?: et al\.)? (?:19|20)\d\d(?=\.?$)", line)
    rest = re.sub(rf"[,;]?\s*{re.escape(paper.group())}", "", line, count=1) if paper else line
    changes = re.search(r"Changes (.+?)\.?\s*$", rest)
    what = rest[: changes.start()] if changes else rest
    return About(
        what.strip().rstrip(".").strip(),
        changes.group(1).strip().rstrip(".") if changes else "",
        paper.group() if paper else "",
    )


def nearest(word: str, known: Iterable[str]) -> str:
    """`Nearest: a, b.`, or all of a short list when nothing is near. A key's last part alone is near."""
    choices = sorted(set(known))
    ends = [one for one in choices if one.endswith(f".{word}")]
    close = [*ends, *(one for one in difflib.get_close_matches(word, choices, n=3, cutoff=0.55) if one not in ends)][:3]
    if close:
        return f"Nearest: {', '.join(close)}."
    return f"There are: {', '.join(choices)}." if 0 < len(choices) <= 24 else ""

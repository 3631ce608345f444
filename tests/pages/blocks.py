"""The fenced blocks of the pages, and the class that each block of commands has.

A block of commands begins with ```sh. What stands behind it is its class:

    ```sh                 run by a test, in order with the other blocks of its page, in one folder and one shell
    ```sh exit=2          the same, and ends with this code
    ```sh needs=gpu       not run: it needs what NEEDS says; its commands are parsed and composed

A block of another language whose first line is a comment with a path (`# my_rewards.py`) is that file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
SHELLS = {"sh", "bash", "shell", "console"}
PROGRAMS = re.compile(
    r"^(\$ |[A-Z_]+=\S+ )*(tvo|make|python3?|pip|torchrun|srun|sbatch|vllm|cd|export|cat|docker|jupyter|sh) ",
    re.MULTILINE,
)
NEEDS = {
    "gpu": "a GPU, or several",
    "hub": "the model or data-set hub",
    "index": "a package index",
    "cluster": "Slurm, Ray or several machines",
    "server": "a server that samples, or another program",
    "hours": "minutes to hours of a processor",
    "account": "an account at a service",
    "screen": "a browser or a terminal",
    "yours": "a file or a run of yours",
}
CLASS = re.compile(r"exit=\d+|needs=(" + "|".join(NEEDS) + ")")
FILE = re.compile(r"# ([\w./-]+\.\w+)$")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, what is written behind its fence, its text."""

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def place(self) -> str:
        """Where the block stands, for a message."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> bool:
        """Whether these are commands, said or not."""
        return self.language in SHELLS or (not self.language and bool(PROGRAMS.search(self.text)))

    @property
    def need(self) -> str:
        """What it needs that is not here; "" where it is run."""
        return next((word.removeprefix("needs=") for word in self.words if word.startswith("needs=")), "")

    @property
    def exit_code(self) -> int:
        """The code that it ends with."""
        return next((int(word.removeprefix("exit=")) for word in self.words if word.startswith("exit=")), 0)

    @property
    def file(self) -> str:
        """The file that the block is, by its first line; "" where it is none."""
        found = FILE.match(self.text.partition("\n")[0]) if self.language and not self.commands else None
        return found.group(1) if found else ""


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    return list(_blocks_of_text(page, page.read_text(encoding="utf-8")))


@cache
def _blocks_of_text(page: Path, text: str) -> list[Block]:
    if "```" not in text and "~~~" not in text:
        return []
    tokens = MarkdownIt().disable(["inline", "text_join"]).parse(text)  # what stands in a line: unread
    fences = [token for token in tokens if token.type == "fence"]
    return [_block(page, token.map[0] + 1 if token.map else 0, token.info, token.content) for token in fences]


def _block(page: Path, line: int, info: str, text: str) -> Block:
    language, *words = info.split() or [""]
    return Block(page, line, language, tuple(words), text)


def fault_of(block: Block) -> str:
    """Return what is wrong with a block's class; "" where nothing is."""
    if block.commands and block.language != "sh":
        return f"{block.place}: a block of commands begins with ```sh (tests/pages/blocks.py)"
    unknown = [word for word in block.words if block.commands and not CLASS.fullmatch(word)]
    return f"{block.place}: no class: {' '.join(unknown)}" if unknown else ""

"""The stranger's test of the names: functions and classes drawn at random, placed by whoever has not seen the code.

    python -m tests.placement_draw SEED FOLDER [COUNT]    FOLDER: tree.txt, questions.txt, the pages, key.tsv
    python -m tests.placement_draw --score KEY ANSWERS    answers are lines `number path`

A question is the first fourteen lines of a function or class, without the module that holds it. The reader is given
the names of the folders and files (tree.txt), and in a second kind of round the two pages besides; nothing else.
"""

from __future__ import annotations

import ast
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tests.source_trees import tree_of

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tvo_cli"
PAGES = ("docs/architecture.md", "docs/modules.md")
COUNT, LINES = 20, 14


def main(words: list[str]) -> None:
    """Draw, or score."""
    if words[0] == "--score":
        print(scored(*(Path(word).read_text(encoding="utf-8") for word in words[1:])))
    else:
        write_round(drawn(int(words[0]), *map(int, words[2:])), Path(words[1]))


def drawn(seed: int, count: int = COUNT) -> list[tuple[str, str]]:
    """Return pairs of a module's path and the first lines of one of its functions or classes."""
    found = [(str(path.relative_to(PACKAGE)), text) for path in _files() for text in _definitions(path)]
    return random.Random(seed).sample(found, count)


def _files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _definitions(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    for node in tree_of(path).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            yield "\n".join(text.splitlines()[first - 1 : min(first - 1 + LINES, node.end_lineno or first)])


def write_round(questions: list[tuple[str, str]], folder: Path) -> None:
    """Write what the reader is given, and the key, which he is not."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = (f"--- {number}\n{text}\n" for number, (_, text) in enumerate(questions, 1))
    (folder / "questions.txt").write_text("\n".join(texts), encoding="utf-8")
    (folder / "tree.txt").write_text("\n".join(str(p.relative_to(PACKAGE)) for p in _files()) + "\n", encoding="utf-8")
    key = (f"{number}\t{path}\n" for number, (path, _) in enumerate(questions, 1))
    (folder / "key.tsv").write_text("".join(key), encoding="utf-8")
    for page in PAGES:
        shutil.copy(ROOT / page, folder)


def scored(key: str, answers: str) -> str:
    """Return how many are in the right folder and in the right file, and a line for each that is not."""
    right = dict(line.split("\t") for line in key.splitlines())
    given = dict(line.split()[:2] for line in answers.splitlines() if line.strip())
    placed = [(right[number], given.get(number, "-").removeprefix("tvo_cli/")) for number in right]
    folders = sum(PurePosixPath(true).parent == PurePosixPath(said).parent for true, said in placed)
    wrong = [f"{said} instead of {true}" for true, said in placed if said != true]
    return "\n".join([f"{folders} folders, {len(placed) - len(wrong)} files of {len(placed)}", *wrong])


if __name__ == "__main__":
    main(sys.argv[1:])

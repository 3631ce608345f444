"""Every module of the package and the first sentence of its docstring, as docs/modules.md shows it.

`python -m tests.module_table > docs/modules.md` makes the page anew; tests/test_architecture.py holds it to the code.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.source_trees import tree_of

ROOT = Path(__file__).parent.parent / "tvo_cli"
HEAD = """# Every module in a line

The first sentence of each module's docstring, made by `make docs`.
What a room is for, and where a new thing goes, stands in [architecture.md](architecture.md).
"""


def page() -> str:
    """The page: a table a room."""
    rooms = sorted({path.parent for path in ROOT.rglob("*.py")})
    return "\n".join([HEAD, *(line for room in rooms for line in _room(room))])


def _room(room: Path) -> Iterator[str]:
    modules = sorted(path for path in room.glob("*.py") if path.name != "__init__.py" or _defines(path))
    if not modules:
        return
    yield f"## {room.relative_to(ROOT.parent)}/\n"
    yield first_sentence(room / "__init__.py") + "\n"
    yield "| module | what it holds |"
    yield "|---|---|"
    yield from (f"| {path.name} | {first_sentence(path)} |" for path in modules)
    yield ""


def _defines(path: Path) -> bool:
    """Whether a file defines a function or a class, besides what it gives on from other files."""
    body = tree_of(path).body
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[:2] != "__" for node in body)


def first_sentence(path: Path) -> str:
    """The first line of a module's docstring, safe in a table."""
    text = ast.get_docstring(tree_of(path)) or ""
    return text.partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")

"""What is written about each algorithm in its yaml and in the docstrings it names, read without importing torch."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tvo_cli import config

PACKAGE = Path(config.__file__).parents[1]
FIDELITY = re.compile(r"^Fidelity:\s*(.+?)\s*(?:\n\s*\n|\Z)", re.DOTALL | re.MULTILINE)
WEAKEST_FIRST = ("notes", "paper", "official code")


class Card(NamedTuple):
    """One algorithm, for a reader."""

    name: str
    about: config.About
    fidelity: str  # "official code", "paper" or "notes", then what deviates, in brackets
    source: str  # the file of its own mathematics, from the package's parent; "" when it brings none


def cards() -> list[Card]:
    """Every algorithm of conf/algorithm."""
    return [card(name) for name in config.names("algorithm")]


def card(name: str) -> Card:
    """What there is to say about one algorithm."""
    methods = [found for found in targets(name) if found.startswith("tvo_cli.methods.")]
    source = str(Path(*methods[0].split(".")[:-1]).with_suffix(".py")) if methods else ""
    about = config.take_apart(config.about("algorithm", name))
    return Card(name, about, fidelity(name), source)


def fidelity(name: str) -> str:
    """The `Fidelity:` of the pieces that the yaml, else the first part with one, brings along; "as BASE" without any.

    Where several have one, the weakest: notes before paper before official code.
    """
    for file in _files(name):
        matches = (FIDELITY.search(inspect.cleandoc(docstring(target))) for target in _targets(file))
        found = [" ".join(match.group(1).split()) for match in matches if match]
        if found:
            return min(found, key=lambda text: WEAKEST_FIRST.index(grade(text)))
    bases = [base for base in _defaults(name) if not base.startswith("_")]
    return f"as {bases[0]}" if bases else ""


def grade(text: str) -> str:
    """The one or two words that a `Fidelity:` begins with; the text itself, "as BASE", where it is none of them."""
    return next((word for word in WEAKEST_FIRST if text.startswith(word)), text)


def targets(name: str) -> list[str]:
    """Dotted names of the pieces that a yaml, or a part (`_…`) it includes, brings along: its own first."""
    return [target for file in _files(name) for target in _targets(file)]


@cache
def docstring(target: str) -> str:
    """The docstring of a dotted name of this package, read from source; "" when there is none."""
    *rooms, wanted = target.split(".")[1:]
    place = PACKAGE.joinpath(*rooms)
    files: Sequence[Path] = sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    found = (ast.get_docstring(node) for file in files for node in _definitions(file) if node.name == wanted)
    return next((text for text in found if text), "")


def _definitions(file: Path) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in ast.parse(file.read_text(encoding="utf-8")).body if file.is_file() else ():
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node


def _files(name: str) -> list[str]:
    """A yaml and the parts it includes, but for what every algorithm starts from."""
    return [name, *(part for part in _defaults(name) if part.startswith("_") and part not in ("_base", "_self_"))]


def _targets(name: str) -> list[str]:
    return [str(target) for _, target in config.targets(_yaml(name))]


def _path(name: str) -> Path:
    return config.conf_dir() / "algorithm" / f"{name}.yaml"


def _yaml(name: str) -> Any:
    import yaml

    return yaml.safe_load(_path(name).read_text(encoding="utf-8"))


def _defaults(name: str) -> list[str]:
    return [str(entry) for entry in _yaml(name).get("defaults", [])]

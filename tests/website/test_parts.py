"""The site's own parts: a picture for each diagram, docstrings shown as they stand, each page in the navigation."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"


@pytest.fixture(autouse=True)
def website(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(ROOT / "website"))
    yield
    for name in ("picture_names", "plain_docstrings"):
        sys.modules.pop(name, None)


def test_every_diagram_has_its_picture() -> None:
    names = import_module("picture_names")
    texts = [
        text
        for page in DOCS.rglob("*.md")
        for text in re.findall(r"^```mermaid\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    ]
    assert {names.picture_of(text) for text in texts} == set(names.PICTURES.glob("diagram-*.svg")), "make diagrams"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("the mean |g| of *all* m_i", r"the mean \|g\| of \*all\* m\_i"),
        ("see `a_b` and `c`", "see ``a_b`` and ``c``"),
        ("one ` alone", r"one \` alone"),
        ("\\boxed{1}", r"\\boxed{1}"),
        ("Args:", "Args:"),
    ],
)
def test_a_docstring_is_shown_as_it_stands(line: str, shown: str) -> None:
    assert import_module("plain_docstrings").as_rst(line) == shown


def test_every_page_stands_in_the_navigation() -> None:
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    entries = [line for block in re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL) for line in block.split("\n")]
    pages = {page.stem for page in DOCS.glob("*.md")} - {"index"}
    assert pages - set(entries) == set()
    assert {"results/*", "decisions/*"} <= set(entries)

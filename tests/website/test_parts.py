"""The site's own parts: docstrings shown as they stand, each page in the navigation."""

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
    sys.modules.pop("plain_docstrings", None)


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


def test_a_property_is_told_by_its_whole_first_line() -> None:
    lines = ["The config: `run.config`."]
    import_module("plain_docstrings").escape(None, "property", "run.config", None, None, lines)
    assert lines == ["", "The config: ``run.config``."]


def test_every_page_stands_in_the_navigation() -> None:
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    entries = [line for block in re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL) for line in block.split("\n")]
    pages = {page.stem for page in DOCS.glob("*.md")} - {"index"}
    assert pages - set(entries) == set()
    assert {"results/*", "decisions/*"} <= set(entries)

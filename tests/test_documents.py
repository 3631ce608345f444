"""What the documents point to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def links(document: Path) -> list[str]:
    """Targets inside the repository, code left out."""
    text = re.sub(r"```.*?```|`[^`]*`", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    return [target for target in found if not re.match(r"[a-z]+:", target)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    assert [target for target in links(document) if not (document.parent / target).exists()] == []


def test_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[a](b.md#c) ![d](e/f.svg) [g](https://h.i) `[j](k)`\n```\n[l](m)\n```\n")
    assert links(page) == ["b.md", "e/f.svg"]


MODULES = sorted((ROOT / "tvo_cli").rglob("*.py"))


def missing_paths(text: str) -> list[str]:
    """Paths of modules that a text names, as `readers/golds.py`, and that are not in the package, its tests or here."""
    named = re.findall(r"(?<![\w/.])((?:[a-z_]+/)+[a-z_0-9]+\.py)\b", text)
    return [path for path in named if not any((ROOT / top / path).exists() for top in ("tvo_cli", "", "tests"))]


def test_every_module_that_a_module_names_is_there() -> None:
    assert {str(path): found for path in MODULES if (found := missing_paths(path.read_text(encoding="utf-8")))} == {}


def test_paths_are_found() -> None:
    text = "See readers/golds.py, tests/test_documents.py and readers/of_old.py."
    assert missing_paths(text) == ["readers/of_old.py"]

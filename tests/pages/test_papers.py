"""docs/papers.md is what the yamls say, and every recipe stands in it once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import paper_table
from tests.pages.blocks import ROOT
from tvo_cli import config

PAGE = ROOT / "docs" / "papers.md"


def test_the_page_is_what_the_yamls_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == paper_table.page(), "make docs"


def test_every_algorithm_stands_on_the_page_once() -> None:
    named = re.findall(r"^\| .+? \| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(name for name in named if not name.startswith("_")) == sorted(config.choices_of_group("algorithm"))


def test_a_recipe_stands_beside_its_paper_and_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder := tmp_path / "algorithm").mkdir()
    text = "# @package _global_\n# New: a | b. Changes GRPO at: x. arXiv:2501.00001\n# Passes: two.\n"
    (folder / "new.yaml").write_text(text, encoding="utf-8")
    (folder / "own.yaml").write_text("# Our own.\n", encoding="utf-8")
    monkeypatch.setattr(config, "conf_dir", lambda: tmp_path)
    monkeypatch.setattr(config, "choice_comment", lambda group, name: config_line(folder / f"{name}.yaml"))
    rows = paper_table.page().removeprefix(paper_table.HEAD).splitlines()
    assert rows == [
        "| [arXiv:2501.00001](https://arxiv.org/abs/2501.00001) | `new` | New: a \\| b | two. |",
        f"| {paper_table.OWN} | `own` | Our own |  |",
    ]


def config_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if not line.startswith("# @")).lstrip("# ")

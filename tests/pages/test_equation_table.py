"""The table of docs/tvo.md: each section with an equation stands in it, and what it names is there."""

from __future__ import annotations

import ast
import importlib
import re
from functools import cache

import pytest

from tests.pages.blocks import ROOT

PAGE = (ROOT / "docs" / "tvo.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([\dAB, ]+) \| (.+) \| (?:`(\S+)`|–) \| `(\S+)::(\S+)` \|$", PAGE, re.MULTILINE)


@cache
def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def is_there(code: str) -> bool:
    """Whether a path or a dotted name leads somewhere; none is named where there is only mathematics."""
    if not code or code.startswith("conf/"):
        return not code or (ROOT / code).is_file()
    module, _, name = code.rpartition(".")
    return hasattr(importlib.import_module(module), name)


def test_each_row_is_read_and_names_a_test_and_code_that_are_there() -> None:
    table = PAGE.split("## 9. ")[1]
    assert len(ROWS) == table.count("\n| ") - 1 > 40, "a row that is not of the table's form"
    assert [row for row in ROWS if row[4] not in functions_of(row[3]) or not is_there(row[2])] == []


@pytest.mark.parametrize("part", re.findall(r"^## [1-7]\. .*?(?=^## )", PAGE, re.MULTILINE | re.DOTALL))
def test_each_section_with_an_equation_has_at_least_as_many_rows(part: str) -> None:
    section, displayed = part[3], re.findall(r"^    (?=\S)", part, re.MULTILINE)
    rows = [row for row in ROWS if section in row[0]]
    assert rows and len(rows) >= len(displayed)


def test_a_name_that_leads_nowhere_is_found() -> None:
    assert not is_there("tvo_cli.optim.viscosity.Nothing") and not is_there("conf/algorithm/_nothing.yaml")
    assert "test_nothing" not in functions_of("tests/optim/test_step_rule.py")

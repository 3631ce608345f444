"""Every fault that was found with real models names the tests that hold it, and these exist and run when it says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "decisions" / "real-model-faults.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| (\d+) \| .+ \| (.+) \|$", PAGE, flags=re.MULTILINE))


class NamedTest(NamedTuple):
    """A test as the page names it."""

    file: str
    function: str
    slow: bool


def named_tests(cell: str) -> Iterator[NamedTest]:
    file = ""
    for segment in cell.split(";"):
        for stated, function in re.findall(r"`([^`:]*)::(\w+)`", segment):
            file = stated or file
            yield NamedTest(file, function, segment.strip().startswith("slow:"))


@cache
def slowness_of_tests(file: str) -> dict[str, bool]:
    """The test functions of a file, and whether each is slow as a whole."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    whole = any(
        isinstance(one, ast.Assign) and ast.unparse(one) == "pytestmark = pytest.mark.slow" for one in tree.body
    )
    functions = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name.startswith("test_")]
    return {one.name: whole or "pytest.mark.slow" in map(ast.unparse, one.decorator_list) for one in functions}


def test_there_are_sixteen_of_them() -> None:
    assert list(ROWS) == [str(number) for number in range(1, 17)]


@pytest.mark.parametrize("fault", ROWS)
def test_each_is_held_by_tests_that_are_there(fault: str) -> None:
    tests = list(named_tests(ROWS[fault]))
    assert ROWS[fault].count("::") == len(tests) > 0, "a name that is not read as one"
    for one in tests:
        assert slowness_of_tests(one.file).get(one.function) is one.slow, f"{one.file}::{one.function}"
    assert not all(one.slow for one in tests)


def test_a_name_without_a_file_is_of_the_one_before() -> None:
    cell = "`tests/a.py::test_b`, `::test_c`; slow: `tests/d.py::test_e`"
    assert list(named_tests(cell)) == [
        NamedTest("tests/a.py", "test_b", False),
        NamedTest("tests/a.py", "test_c", False),
        NamedTest("tests/d.py", "test_e", True),
    ]

"""One rule for whose line it was: a line of own code is one in its files, whatever was called below or above it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tvo_cli.plugins.own_traceback import own_code_lines


def failure_of(source: str, path: Path) -> BaseException:
    """What a function `f` of a file raises when it is called from here."""
    names: dict[str, Any] = {}
    try:
        exec(compile(source, str(path), "exec"), names)
        names["f"]()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_the_last_line_is_own_codes_and_not_the_librarys_below_it(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    error = failure_of("import json\ndef f():\n    g()\ndef g():\n    json.loads('x')\n", mine)
    assert isinstance(error, json.JSONDecodeError)
    assert [(one.number, one.function) for one in own_code_lines(error, {mine})] == [(3, "f"), (5, "g")]
    assert own_code_lines(error, {tmp_path / "other.py"}) == []


@pytest.mark.parametrize("known", [True, False])
def test_what_does_not_parse_is_own_code_where_its_file_is(tmp_path: Path, known: bool) -> None:
    mine = tmp_path / "mine.py"
    error = failure_of("x = 1\nx = = 2\n", mine)
    assert [one.number for one in own_code_lines(error, {mine} if known else set())] == ([2] if known else [])

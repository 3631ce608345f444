"""Own code by name: found, loaded, loaded anew when changed, and every way to be wrong named."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tvo_cli.errors import UserError
from tvo_cli.plugins import own_code


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    path = tmp_path / "mine.py"
    path.write_text("class A:\n    def f(self):\n        return 1\n\ndef brevity():\n    return 2\n\nWEIGHT = 3\n")
    return path


def test_a_function_of_a_file_and_of_a_module(mine: Path) -> None:
    import math

    assert own_code.load_callable("k", "mine.py:brevity")() == 2
    assert own_code.load_callable("k", f"{mine}:A.f")(None) == 1
    assert own_code.load_callable("k", "math:sqrt") is math.sqrt


def test_two_files_of_one_name_are_two_modules(mine: Path) -> None:
    (other := mine.parent / "sub").mkdir()
    (other / "mine.py").write_text("def brevity():\n    return 7\n")
    assert own_code.load_callable("k", "sub/mine.py:brevity")() == 7
    assert own_code.load_callable("k", "mine.py:brevity")() == 2


def test_a_changed_file_is_loaded_anew_and_an_unchanged_one_is_not(mine: Path) -> None:
    before = own_code.load_module("k", "mine.py")
    assert own_code.load_module("k", "./mine.py") is before
    mine.write_text("def brevity():\n    return 5\n")
    assert own_code.load_callable("k", "mine.py:brevity")() == 5


def test_a_file_imports_what_lies_beside_it(mine: Path) -> None:
    (mine.parent / "beside_mine.py").write_text("x = 11\n")
    mine.write_text("import beside_mine\ndef f():\n    return beside_mine.x\n")
    assert own_code.load_callable("k", "mine.py:f")() == 11


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("nowhere.py:f", "no such file. A path is read from the working folder"),
        ("no_such_package.a:f", "no such module"),
        ("math.nothing:f", "cannot be imported: ModuleNotFoundError"),
        ("mine.py", "names no function. Write FILE.py:NAME"),
        ("mine.py:", "names no function"),
        ("mine.py:brevty", "mine.py has no brevty. Nearest: brevity."),
        ("mine.py:WEIGHT", "is int, not a function"),
        ("broken.py:f", "cannot be imported: ZeroDivisionError: division by zero (broken.py, line 2)"),
        ("syntax.py:f", "cannot be imported: SyntaxError: "),
        ("leaves.py:f", "cannot be imported: SystemExit: 3 (leaves.py, line 1)"),
    ],
)
def test_what_is_wrong_is_said(mine: Path, reference: str, text: str) -> None:
    (mine.parent / "broken.py").write_text("\n1 / 0\n")
    (mine.parent / "syntax.py").write_text("def f(:\n")
    (mine.parent / "leaves.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(UserError) as error:
        own_code.load_callable("reward.functions.0.call", reference)
    assert text in str(error.value)
    assert str(error.value).startswith(f"reward.functions.0.call={reference.partition(':')[0]}")

"""Own code by name: found, loaded, loaded anew when changed, and every way to be wrong named."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from tvo_cli.errors import UserError
from tvo_cli.plugins import own_code_loading


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    path = tmp_path / "mine.py"
    path.write_text("class A:\n    def f(self):\n        return 1\n\ndef brevity():\n    return 2\n\nWEIGHT = 3\n")
    return path


def test_a_function_of_a_file_and_of_a_module(mine: Path) -> None:
    import math

    assert own_code_loading.load_callable("k", "mine.py:brevity")() == 2
    assert own_code_loading.load_callable("k", f"{mine}:A.f")(None) == 1
    assert own_code_loading.load_callable("k", "math:sqrt") is math.sqrt


def test_two_files_of_one_name_are_two_modules(mine: Path) -> None:
    (other := mine.parent / "sub").mkdir()
    (other / "mine.py").write_text("def brevity():\n    return 7\n")
    assert own_code_loading.load_callable("k", "sub/mine.py:brevity")() == 7
    assert own_code_loading.load_callable("k", "mine.py:brevity")() == 2


def test_a_changed_file_is_loaded_anew_and_an_unchanged_one_is_not(mine: Path) -> None:
    before = own_code_loading.load_module("k", "mine.py")
    assert own_code_loading.load_module("k", "./mine.py") is before
    mine.write_text("def brevity():\n    return 5\n")
    assert own_code_loading.load_callable("k", "mine.py:brevity")() == 5


def test_a_file_imports_what_lies_beside_it(mine: Path) -> None:
    (mine.parent / "beside_mine.py").write_text("x = 11\n")
    mine.write_text("import beside_mine\ndef f():\n    return beside_mine.x\n")
    assert own_code_loading.load_callable("k", "mine.py:f")() == 11


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
        ("unread.py:f", "(unread.py, line 2)"),
        ("column.py:f", "has no column schwer?; it has id, question"),
        ("column.py:f", "(column.py, line 2)"),
        ("leaves.py:f", "cannot be imported: SystemExit: 3 (leaves.py, line 1)"),
    ],
)
def test_what_is_wrong_is_said(mine: Path, reference: str, text: str) -> None:
    (mine.parent / "broken.py").write_text("\n1 / 0\n")
    (mine.parent / "syntax.py").write_text("def f(:\n")
    (mine.parent / "unread.py").write_text("import json\njson.loads('{')\n")
    (mine.parent / "column.py").write_text(
        "from tvo_cli.types import Problem\nProblem('a', 'q', '1', 'mine')['schwer?']\n"
    )
    (mine.parent / "leaves.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(UserError) as error:
        own_code_loading.load_callable("reward.functions.0.call", reference)
    assert text in str(error.value)
    assert str(error.value).startswith(f"reward.functions.0.call={reference.partition(':')[0]}")


def test_a_changed_neighbour_or_package_is_imported_anew(mine: Path) -> None:
    (pack := mine.parent / "own_pack_of_test").mkdir()
    sys.path.append(str(mine.parent))
    mine.write_text("import deep_of_test\ndef f():\n    return deep_of_test.value()\n")
    for version in (1, 22):
        (mine.parent / "deep_of_test.py").write_text("from beside_of_test import X\ndef value():\n    return X\n")
        (mine.parent / "beside_of_test.py").write_text(f"X = {version}\n")
        (pack / "__init__.py").write_text("from own_pack_of_test.inner import f\n")
        (pack / "inner.py").write_text(f"def f():\n    return {version}\n")
        own_code_loading.load_callable("k", "own_pack_of_test:f")
        assert own_code_loading.load_callable("k", "own_pack_of_test.inner:f")() == version
        (mine.parent / "deep_of_test.py").write_text(
            "import beside_of_test\ndef value():\n    return beside_of_test.X\n"
        )
        assert own_code_loading.load_callable("k", "mine.py:f")() == version


def test_neighbours_of_one_name_in_two_folders_are_two(mine: Path) -> None:
    for name in ("one", "two"):
        (folder := mine.parent / name).mkdir()
        (folder / "side_of_test.py").write_text(f"X = {name!r}\n")
        (folder / "own.py").write_text("from side_of_test import X\ndef f():\n    return X\n")
    assert [own_code_loading.load_callable("k", f"{name}/own.py:f")() for name in ("one", "two")] == ["one", "two"]


def test_a_neighbour_that_a_package_hides_is_refused(mine: Path) -> None:
    (mine.parent / "omegaconf.py").write_text("")
    mine.write_text("import omegaconf\ndef f(): ...\n")
    import omegaconf

    with pytest.raises(UserError, match=r"imports omegaconf, and Python finds .* Rename omegaconf\.py"):
        own_code_loading.load_callable("k", "mine.py:f")
    assert sys.modules["omegaconf"] is omegaconf


def test_text_of_the_same_second_and_size_is_compiled_anew(mine: Path) -> None:
    for value in (1, 2):
        mine.write_text(f"def f():\n    return {value}\n")
        os.utime(mine, (1_000_000_000, 1_000_000_000))
        assert own_code_loading.load_callable("k", "mine.py:f")() == value


def test_an_import_leaves_the_output_and_the_working_folder_alone(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine.write_text("import os\nprint('loud')\nos.chdir('/')\ndef f(): ...\n")
    own_code_loading.load_callable("k", "mine.py:f")
    assert capsys.readouterr() == ("", "loud\n") and Path.cwd() == mine.parent


def test_an_import_that_takes_long_is_named(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_code_loading, "PATIENCE", 0.0)
    monkeypatch.setattr(sys, "stderr", said := io.StringIO())
    mine.write_text("import sys, time\nwhile not sys.stderr.getvalue():\n    time.sleep(0.001)\n")
    own_code_loading.load_module("k", "mine.py")
    assert said.getvalue() == "tvo: mine.py: its import takes more than 0 s so far; Ctrl-C ends it\n"

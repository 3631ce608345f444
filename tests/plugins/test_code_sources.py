"""The fingerprint of own code covers what is imported from beside it, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tvo_cli.errors import UserError
from tvo_cli.plugins import code_sources
from tvo_cli.plugins.code_sources import code_fingerprint, find_source, source_files


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "deep.py").write_text("y = 1\n")
    (tmp_path / "late.py").write_text("x = 1\n")
    (tmp_path / "other.py").write_text("x = 1\n")
    path = tmp_path / "mine.py"
    path.write_text("import os\nfrom pack import deep\ndef f():\n    import late\n    return late.x\n")
    return path


def test_files_are_the_file_and_what_it_imports_from_beside_it(mine: Path) -> None:
    assert [path.name for path in source_files(mine)] == ["late.py", "mine.py", "__init__.py", "deep.py"]


@pytest.mark.parametrize(
    ("changed", "differs"), [("mine.py", True), ("late.py", True), ("pack/deep.py", True), ("other.py", False)]
)
def test_a_change_of_a_file_that_counts_changes_the_fingerprint(mine: Path, changed: str, differs: bool) -> None:
    before = code_fingerprint("k", "mine.py:f")
    assert before == code_fingerprint("k", str(mine))
    with (mine.parent / changed).open("a") as file:
        file.write("# a word\n")
    assert (code_fingerprint("k", "./mine.py") != before) is differs


def test_a_package_counts_whole_and_a_built_in_module_has_no_file(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one])
    assert find_source("k", "pack.deep") == mine.parent / "pack"
    before = code_fingerprint("k", "pack.deep:y")
    (mine.parent / "pack" / "deep.py").write_text("y = 2\n")
    assert code_fingerprint("k", "pack.deep:y") != before
    assert code_fingerprint("k", "sys:exit") == "built-in"


@pytest.mark.parametrize("name", ["~nobody_of_this_name/mine.py", "~/nowhere_of_this_name.py", "no\0where.py"])
def test_a_file_in_no_home_is_no_file(name: str) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        find_source("k", name)


def test_in_a_checkout_this_program_is_nobodys_own_code_and_a_package_is_listed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []
    whole = code_sources._files_of_package

    def counted(folder: Path) -> list[Path]:
        listed.append(folder.name)
        return whole(folder)

    monkeypatch.setattr(code_sources, "_files_of_package", counted)
    for package in ("tvo_cli", "helpers"):
        (tmp_path / package).mkdir()
        for name in ("__init__.py", "one.py", "two.py"):
            (tmp_path / package / name).write_text("import helpers\nimport tvo_cli\n", encoding="utf-8")
    mine = tmp_path / "mine.py"
    mine.write_text("import helpers\nfrom tvo_cli.types import Experience\n", encoding="utf-8")
    assert [path.name for path in source_files(mine)] == ["__init__.py", "one.py", "two.py", "mine.py"]
    assert listed == ["helpers"]

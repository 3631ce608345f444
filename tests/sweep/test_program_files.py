"""The state of the program's files, by which a fork server is known to be out of date."""

from __future__ import annotations

import os
import site
from pathlib import Path

import pytest

import tvo_cli
from tvo_cli.sweep.program_files import changed_program_files, state_of_program_files


def test_a_module_that_is_written_or_new_or_gone_and_an_updated_package_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, packages = tmp_path / "tvo_cli", tmp_path / "packages"
    (program / "room").mkdir(parents=True)
    (packages / "torch-2.0.dist-info").mkdir(parents=True)
    for name in ("__init__.py", "room/a.py", "room/b.py"):
        (program / name).write_text("x = 1\n")
    monkeypatch.setattr(tvo_cli, "__file__", str(program / "__init__.py"))
    monkeypatch.setattr(site, "getsitepackages", lambda: [str(packages), str(tmp_path / "absent")])
    before = state_of_program_files()
    assert changed_program_files(before, state_of_program_files()) == []
    (program / "room" / "a.py").write_text("x = 2\n")
    os.utime(program / "room" / "a.py", ns=(1, 1))
    (program / "room" / "b.py").rename(program / "room" / "c.py")
    (packages / "torch-2.0.dist-info").rename(packages / "torch-2.1.dist-info")
    (program / "room" / "__pycache__").mkdir()
    (program / "notes.txt").write_text("no code")
    changed = changed_program_files(before, state_of_program_files())
    names = ["packages/torch-2.0.dist-info", "packages/torch-2.1.dist-info"]
    names += [f"tvo_cli/room/{name}.py" for name in "abc"]
    assert changed == [str(tmp_path / name) for name in names]


def test_this_program_is_among_its_own_files() -> None:
    found = state_of_program_files()
    assert any(name.endswith("tvo_cli/sweep/fork_server.py") for name in found)
    assert any("torch-" in name for name in found)

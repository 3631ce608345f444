"""`make real`: whatever it is asked for, no folder is for two different things; the same words find the same one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = re.compile(r" output_dir=(\S+)")
OF_MAKE = ("MAKEFLAGS", "MAKELEVEL", "REAL_STEPS", "MATH")  # of a `make` around the tests
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


def commands_by_folder(*settings: str) -> dict[str, str]:
    """The folders that `make real` would fill, each with the command that does."""
    called = ["make", "--dry-run", "--no-print-directory", "real", *settings]
    around = {name: value for name, value in os.environ.items() if name not in OF_MAKE}
    done = subprocess.run(called, cwd=ROOT, env=around, capture_output=True, text=True, check=True)
    lines = done.stdout.replace("\\\n", " ").splitlines()
    return {found[1]: line for line in lines if (found := FOLDER.search(line))}


@pytest.fixture
def math_files(tmp_path: Path) -> list[Path]:
    """Three files of problems; the last has the name of the first."""
    files = [tmp_path / "math.jsonl", tmp_path / "hard.jsonl", tmp_path / "other" / "math.jsonl"]
    files[2].parent.mkdir()
    for number, file in enumerate(files):
        file.write_text(f'{{"problem": "{number}", "answer": "{number}"}}\n')
    return files


@needs_make
def test_no_folder_is_filled_by_two_different_commands(math_files: list[Path]) -> None:
    asked = [["REAL_STEPS=8"], ["REAL_STEPS=16"], ["REAL_STEPS=16", f"MATH={math_files[0]}"]]
    asked += [[f"MATH={file}"] for file in math_files]
    commands: dict[str, set[str]] = {}
    for settings in asked:
        for folder, command in commands_by_folder(*settings).items():
            commands.setdefault(folder, set()).add(command)
    assert {folder for folder, found in commands.items() if len(found) > 1} == set()
    # before; runs and evaluations of 8 and 16 steps; three files before, three after 8 steps, one after 16
    assert len(commands) == 1 + 2 + 2 + 3 + 3 + 1


@needs_make
def test_a_file_that_has_changed_is_another_evaluation_and_the_same_one_is_gone_on_with(math_files: list[Path]) -> None:
    first = commands_by_folder(f"MATH={math_files[0]}")
    assert commands_by_folder(f"MATH={math_files[0]}") == first
    math_files[0].write_text('{"problem": "1 + 1", "answer": "2"}\n')
    renewed = commands_by_folder(f"MATH={math_files[0]}")
    assert len(renewed) == len(first) == 5 and len(renewed.keys() & first.keys()) == 3


@needs_make
def test_the_policy_that_is_evaluated_is_the_run_of_so_many_steps(math_files: list[Path]) -> None:
    commands = commands_by_folder("REAL_STEPS=16", f"MATH={math_files[0]}")
    [run] = [folder for folder, command in commands.items() if "trainer.steps=16" in command]
    assert sum(f"model.path={run} " in command for command in commands.values()) == 2

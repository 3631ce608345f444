"""The commands of the pages: each page is worked through from its top in one shell; what is not run is composed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages.blocks import PAGES, ROOT, Block, blocks_of
from tests.pages.not_run import blocks_not_run, check_command, commands_of
from tvo_cli.errors import UserError

RUN = [page for page in PAGES if any(block.commands and not block.need for block in blocks_of(page))]
EXAMPLES = ROOT / "examples"
MINUTES = 30


def script_of(page: Path, folder: Path) -> str:
    """A page as a shell script; its files are written where they stand."""
    return "\n".join(["set -euo pipefail", *_steps(blocks_of(page), folder)])


def _steps(blocks: list[Block], folder: Path) -> Iterator[str]:
    for number, block in enumerate(blocks):
        if block.file:
            (kept := folder / f"block-{number}").write_text(block.text, encoding="utf-8")
            yield f"mkdir -p $(dirname {block.file}); cp {kept} {block.file}"
        elif block.commands and not block.need:
            yield f"echo '── {block.place}'"
            yield (
                f"set +e; ( set -e; {block.text}\n); code=$?; set -e; [ $code = {block.exit_code} ]"
                if (block.exit_code)
                else block.text
            )


def working_folder(page: Path, folder: Path) -> Path:
    """An empty folder; of an example, a copy of its own."""
    home = folder / "work"
    if page.parent.parent == EXAMPLES:
        shutil.copytree(page.parent, home, ignore=shutil.ignore_patterns("outputs"))
    else:
        home.mkdir()
    return home


def environment(folder: Path) -> dict[str, str]:
    """A shell's variables: this environment's programs first, nothing of a service."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": programs, "HOME": str(folder), "COLUMNS": "120", "WANDB_MODE": "offline"}


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_can_be_worked_through(page: Path, tmp_path: Path) -> None:
    home = working_folder(page, tmp_path)
    script = script_of(page, tmp_path)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=home,
        env=environment(tmp_path),
        text=True,
        capture_output=True,
        timeout=60 * MINUTES,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```sh\ntrue\n```\n```sh exit=3\nexit 3\n```", 0),
        ("```yaml\n# a/b.yaml\nx: 1\n```\n```sh\ngrep -q x a/b.yaml\n```", 0),
        ("```sh needs=gpu\nfalse\n```\n```text\nfalse\n```", 0),
        ("```sh\nfalse\ntrue\n```", 1),
        ("```sh\nfalse | cat\n```", 1),
        ("```sh exit=3\nexit 2\n```", 1),
        ("```sh exit=3\ntrue\n```", 1),
    ],
)
def test_a_page_stops_where_a_command_does_not_do_what_it_should(
    text: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.pages.blocks.ROOT", tmp_path)
    (page := tmp_path / "page.md").write_text(text, encoding="utf-8")
    done = subprocess.run(["bash", "-c", script_of(page, tmp_path)], cwd=tmp_path, capture_output=True)
    assert done.returncode == code


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks_not_run(), ids=lambda block: f"{block.place} needs={block.need}")
def test_commands_that_are_not_run_can_be_composed(block: Block) -> None:
    subprocess.run(["bash", "-n", "-c", block.text.replace("…", "")], check=True)
    for command in commands_of(block.text):
        try:
            check_command(command)
        except UserError as error:
            if "is not installed" not in str(error):
                raise
            pytest.skip(str(error))

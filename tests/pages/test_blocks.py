"""Every block of commands in the pages has a class: it is run, or what it needs is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages import blocks, not_run


def written(folder: Path, text: str) -> list[blocks.Block]:
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    return blocks.blocks_of(page)


def test_every_block_of_commands_has_a_class() -> None:
    faults = [fault for page in blocks.PAGES for block in blocks.blocks_of(page) if (fault := blocks.fault_of(block))]
    assert faults == []


def test_the_page_of_commands_that_are_not_run_is_up_to_date() -> None:
    assert not_run.PAGE.read_text(encoding="utf-8") == not_run.page(), "make docs"


@pytest.mark.parametrize("fence", ["", "bash", "console", "sh needs=luck", "sh run"])
def test_commands_without_a_class_are_found(fence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "ROOT", tmp_path)
    (block,) = written(tmp_path, f"```{fence}\ntvo train\n```\n")
    assert blocks.fault_of(block).startswith("page.md:1: ")


def test_a_block_says_its_class_and_its_file(tmp_path: Path) -> None:
    text = "```sh exit=2\ntvo\n```\n\n- list\n\n  ```sh needs=gpu\n  tvo\n  ```\n\n"
    text += "```python\n# a/b.py\nx = 1\n```\n\n```\na table\n```\n"
    ends, not_here, file, table = written(tmp_path, text)
    assert (ends.exit_code, ends.need) == (2, "")
    assert (not_here.line, not_here.need, not_here.text) == (7, "gpu", "tvo\n")
    assert (file.file, table.commands) == ("a/b.py", False)


def test_commands_are_found_behind_variables_launchers_and_pipes() -> None:
    text = "# said\nHERE=1 srun tvo train a=1 …  # why\ncat x | tvo grade - \\\n  --bare\n"
    text += "exec tvo train -m 'seed=range(2)'\n"
    assert not_run.commands_of(text) == [
        ["tvo", "train", "a=1"],
        ["cat", "x"],
        ["tvo", "grade", "-", "--bare"],
        ["tvo", "train", "-m", "seed=range(2)"],
    ]


@pytest.mark.parametrize(
    "command",
    [
        "tvo train algoritm=grpo",
        "tvo train -m algorithm=tvo,grpoo",
        "tvo eval evaluation=nosuch",
        "tvo grade a.jsonl --profle aime",
        "tvo trian",
        "make nosuch",
        "pip install -e '.[nosuch]'",
        "python -m benchmarks.nosuch",
        "sh benchmarks/nosuch.sh",
    ],
)
def test_a_command_that_cannot_work_is_refused(command: str) -> None:
    (words,) = not_run.commands_of(command)
    with pytest.raises(Exception):  # noqa: B017  (each program refuses in its own way)
        not_run.check_command(words)

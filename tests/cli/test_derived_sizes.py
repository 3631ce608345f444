"""A dry run reads the file of problems, so that its faults are told before a model is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tvo_cli import config
from tvo_cli.cli.derived_sizes import derived_sizes
from tvo_cli.errors import UserError


def planned(path: Path, *words: str) -> dict[str, Any]:
    return derived_sizes(config.compose(["dataset=jsonl", f"dataset.path={path}", *words, "output_dir=x"])).table


def test_the_file_is_read_and_its_problems_counted(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps({"question": f"q{i}", "answer": i}) + "\n" for i in range(20)))
    sizes = planned(path)
    assert (sizes["training problems"][0], sizes["held-out problems"][0]) == (18, 2)
    sizes = planned(path, "dataset.holdout=0")
    assert sizes["training problems"][0] == 20
    assert (
        sizes["held-out problems"][0] == 0 and "leaves no problem for the test split" in sizes["held-out problems"][1]
    )


def test_what_is_wrong_with_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"question": "q", "answer": {"value": 1}}\n')
    with pytest.raises(UserError, match="line 1 has an object for an answer"):
        planned(path)
    with pytest.raises(UserError, match="no such file"):
        planned(tmp_path / "nothing.jsonl")

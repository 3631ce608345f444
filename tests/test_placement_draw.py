"""The stranger's test of the names: what is drawn, and how answers are scored."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import placement_draw


@pytest.mark.slow
def test_a_draw_is_repeatable_and_does_not_give_the_place(tmp_path: Path) -> None:
    drawn = placement_draw.drawn(seed=7)
    assert drawn == placement_draw.drawn(seed=7) != placement_draw.drawn(seed=8)
    assert len(drawn) == 20
    placement_draw.write_round(drawn, tmp_path)
    questions = (tmp_path / "questions.txt").read_text(encoding="utf-8")
    assert all(text in questions and len(text.splitlines()) <= 14 for _, text in drawn)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("questions.txt", "tree.txt", "key.tsv", "architecture.md", "modules.md")
    }


def test_a_right_folder_counts_without_the_right_file() -> None:
    key = "1\tdata/cursor.py\n2\tmodel/policy.py\n3\terrors.py\n4\tdata/mixture.py\n"
    answers = "1 data/cursor.py\n2 tvo_cli/model/critic.py\n3 cli/main.py\n"
    assert placement_draw.scored(key, answers).splitlines() == [
        "2 folders, 1 files of 4",
        "model/critic.py instead of model/policy.py",
        "cli/main.py instead of errors.py",
        "- instead of data/mixture.py",
    ]

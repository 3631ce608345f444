"""Texts in another tool's columns of numbers: read where they are numbers, said in any case."""

from __future__ import annotations

from pathlib import Path

from tests.runs.test_other_tools import write_logs
from tvo_cli.runs.gather import gather_runs


def test_numbers_that_are_texts_are_read_and_said(tmp_path: Path) -> None:
    rows = [{"step": 1, "reward": "0.12", "entropy": 0.5, "note": "3"}, {"step": 2, "reward": "nan", "entropy": 0.5}]
    runs, file = write_logs(tmp_path, "metrics: {reward/mean: reward}", {"mine-s1": rows})
    found = gather_runs([runs], file)
    assert found.trials[0].run.steps[0] == {"step": 1, "reward/mean": 0.12, "entropy": 0.5}
    assert "mine-s1: reward is a text ('0.12'); read as a number." in found.notes


def test_texts_that_are_no_numbers_are_said_where_the_column_is_known(tmp_path: Path) -> None:
    path = tmp_path / "mine-s1.csv"
    path.write_text("step;reward;entropy;name\n1;0,21;0,5;x\n2;0.3;0,5;y\n")
    found = gather_runs([path])
    assert "mine-s1: reward is a text ('0,21') in 1 of 2 rows; not read." in found.notes
    assert "mine-s1: entropy is a text ('0,5') in 2 of 2 rows; not read." in found.notes
    assert not any("name is" in note for note in found.notes)

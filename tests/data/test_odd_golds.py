"""What is said of golds that contradict each other, and of words for a missing value."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvo_cli import data
from tvo_cli.data import hub_problems


def said_of(path: Path, text: str, caplog: pytest.LogCaptureFixture) -> str:
    path.write_text(text)
    data.load({"kind": "jsonl", "name": "mine", "path": str(path), "holdout": 0}, split="train", seed=0)
    return caplog.text


def test_a_question_with_different_golds_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = "".join(f"q{n},{n}\n" for n in range(4)) * 2 + "q0,5\nq1,5\nq0,0\n"
    said = said_of(tmp_path / "mine.csv", "question,answer\n" + rows, caplog)
    assert (
        said.count("2 rows ask what an earlier row asks and state another gold (first: mine/2 '0', mine/10 '5')") == 1
    )
    assert len(caplog.records) == 1


def test_equal_golds_are_not_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert said_of(tmp_path / "mine.csv", "question,answer\n" + "q,1\n" * 3 + "r,none\n", caplog) == ""


def test_words_for_a_missing_value_are_said_to_be_answers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    said = said_of(tmp_path / "mine.csv", "question,answer\nq,NaN\nr,N/A\ns,NaN\nt,3\n", caplog)
    assert "3 golds are 'NaN' or 'N/A': these words are read as answers" in said


def test_rows_of_the_hub_are_looked_at_too(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"question": "q", "answer": str(n)} for n in range(3)]
    monkeypatch.setattr(hub_problems, "_hub_rows", lambda *asked: iter(rows))
    assert len(hub_problems.read_hub_split({"name": "mine", "kind": "hub"}, "train")) == 3
    assert "mine/train: 2 rows ask what an earlier row asks" in caplog.text

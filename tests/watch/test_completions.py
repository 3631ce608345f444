"""Completions on the page: whatever a model or a broken file holds arrives as harmless, short text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.watch.conftest import HOSTILE, write_responses
from tvo_cli.watch.completions import MOST_ROWS, response_files, response_rows

Write = Callable[..., Path]


def test_controls_and_bidi_marks_are_shown_and_nothing_obeys_them(write_run: Write) -> None:
    folder, texts = write_run("a"), dict.fromkeys(("completion", "reason", "unknown"), HOSTILE)
    write_responses(folder, 9, [{**texts, "reward": 0.5, "rewards": {"brevity": 0.6}}])
    [row] = response_rows(folder, "step-000009.jsonl")
    assert row["reward"] == 0.5 and row["rewards"] == "brevity 0.6" and "unknown" not in row
    for text in (row["completion"], row["reason"]):
        assert "\\x1b[31mred" in text and "\\u202egnp.exe" in text and "\\ud800" in text
        assert not set(text) & {"\x1b", "\u202e", "\ud800"} and "<script>" in text  # text: the page sets no HTML


def test_long_texts_are_cut_and_say_so(write_run: Write) -> None:
    folder = write_run("a")
    write_responses(folder, 9, [{"completion": "y" * 100_000}] * (MOST_ROWS + 1))
    rows = response_rows(folder, "step-000009.jsonl")
    assert len(rows) == MOST_ROWS and rows[0]["completion"].endswith("(100,000 characters in all)")
    assert len(rows[0]["completion"]) < 5000


def test_broken_bytes_and_half_a_row_are_shown_for_what_they_are(write_run: Write) -> None:
    folder = write_run("a")
    path = folder / "responses" / "step-000009.jsonl"
    path.write_bytes(b'{"completion": "bad \xff utf-8"}\n{"completion": half')
    good, half = response_rows(folder, path.name)
    assert good["completion"] == "bad \ufffd utf-8" and half["reason"] == "this row is not JSON"


@pytest.mark.parametrize("name", ["../config.yaml", "config.yaml", "/etc/passwd", "step-000009.jsonl/..", "link.jsonl"])
def test_no_other_file_can_be_asked_for(write_run: Write, name: str) -> None:
    assert response_rows(write_run("a"), name) == []


def test_a_link_that_leads_out_is_no_file_of_the_run(write_run: Write, tmp_path: Path) -> None:
    folder = write_run("a")
    secret = tmp_path / "secret.jsonl"
    secret.write_text(json.dumps({"completion": "secret"}) + "\n")
    (folder / "responses" / "step-000001.jsonl").symlink_to(secret)
    assert [one["file"] for one in response_files(folder)] == ["step-000009.jsonl"]
    (tmp_path / "runs" / "b").mkdir()
    (tmp_path / "runs" / "b" / "responses").symlink_to(folder / "responses")
    assert response_files(tmp_path / "runs" / "b") == []

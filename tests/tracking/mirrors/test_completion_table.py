"""The completions that mirrors are shown: the same rows for all, short, harmless, without secrets."""

from __future__ import annotations

import pytest

from tvo_cli.tracking.mirrors.completion_table import (
    COLUMNS,
    MOST_CHARACTERS,
    MOST_ROWS,
    completion_rows,
    completion_text,
)

ROW = {"id": "p/1", "question": "1 + 1", "completion": "2", "gold": "2", "correct": True, "reward": 1.0, "tokens": 3}


def test_the_first_sixteen_rows_are_shown_in_their_order() -> None:
    rows = completion_rows([ROW | {"id": f"p/{number}"} for number in range(40)])
    assert [row[0] for row in rows] == [f"p/{number}" for number in range(16)] and MOST_ROWS == 16
    assert dict(zip(COLUMNS, rows[0], strict=True)) == ROW | {
        "id": "p/0",
        "extracted": None,
        "reason": None,
        "rewards": None,
    }


def test_numbers_and_verdicts_stay_what_they_are() -> None:
    [row] = completion_rows([ROW | {"correct": False, "reward": -0.5}])
    assert (row[COLUMNS.index("correct")], row[COLUMNS.index("reward")]) == (False, -0.5)


def test_a_secret_of_the_environment_is_masked_also_where_the_text_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "sk-0123456789abcdef")
    text = "x" * (MOST_CHARACTERS - 8) + " sk-0123456789abcdef"
    assert "sk-0" not in completion_text(text) and "***" in completion_text("key sk-0123456789abcdef!")


def test_a_long_text_is_cut_and_says_how_long_it_was() -> None:
    shown = completion_text("y" * 10_000)
    assert shown == "y" * MOST_CHARACTERS + " … (10,000 characters in all)"
    assert completion_text("y" * MOST_CHARACTERS) == "y" * MOST_CHARACTERS


def test_what_cannot_be_seen_is_shown() -> None:
    assert completion_text("a\nb\x1b[2J\u202e\ud800") == "a\nb\\x1b[2J\\u202e\\ud800"


def test_what_each_function_of_ones_own_says_is_told() -> None:
    [row] = completion_rows([ROW | {"rewards": {"brevity": 0.123456, "honest": None, "a\x1b": 1}}])
    assert row[COLUMNS.index("rewards")] == "brevity 0.1235, honest none, a\\x1b 1"

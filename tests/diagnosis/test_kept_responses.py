"""The responses that a run has kept, read with their lines."""

from __future__ import annotations

from pathlib import Path

from tvo_cli.diagnosis.kept_responses import numbered_responses


def test_a_torn_line_is_left_out_and_the_others_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "step-000003.jsonl"
    path.write_text('{"id": "a"}\n[1]\n{"id": "b"}\n{"id": "c', encoding="utf-8")
    assert list(numbered_responses(path)) == [(1, {"id": "a"}), (3, {"id": "b"})]


def test_a_response_with_a_line_separator_of_unicode_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "step-000003.jsonl"
    path.write_text('{"id": "a\u2028b\x85"}\n{"id": "c"}\n', encoding="utf-8")
    assert list(numbered_responses(path)) == [(1, {"id": "a\u2028b\x85"}), (2, {"id": "c"})]

"""responses.jsonl: whole lines, torn lines, damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Never

import pytest

from tests.evaluation.conftest import response
from tvo_cli.errors import UserError
from tvo_cli.evaluation import responses
from tvo_cli.evaluation.responses import GradedResponse


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    rows = (response(0), response(1, correct=None))
    responses.append_responses(path, rows[:1])
    responses.append_responses(path, rows[1:])
    assert responses.read_responses(path) == (rows, "")
    assert responses.read_responses(tmp_path / "none") == ((), "")


def test_a_torn_last_line_is_said_and_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    responses.append_responses(path, [response(0), response(1)])
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"suite": "s", "id"')
    found = responses.read_responses(path)
    assert len(found.responses) == 2
    assert "incomplete (19 bytes)" in found.repair
    responses.cut_torn_response(path)
    assert path.read_bytes() == whole


def test_damage_in_the_middle_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    responses.append_responses(path, [response(0)])
    path.write_bytes(b"not json\n" + path.read_bytes())
    with pytest.raises(UserError, match="line 1 is no response"):
        responses.read_responses(path)


def test_the_later_of_two_lines_for_the_same_completion_counts(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    responses.append_responses(path, [response(0, correct=None), response(0)])
    assert [row.correct for row in responses.read_responses(path).responses] == [True]


def test_writing_anew_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.jsonl"
    responses.rewrite_responses(path, [response(0)])

    def broken(row: GradedResponse) -> Never:
        raise OSError("disk")

    monkeypatch.setattr(responses, "asdict", broken)
    with pytest.raises(OSError, match="disk"):
        responses.rewrite_responses(path, [response(1)])
    assert json.loads(path.read_text())["sample"] == 0

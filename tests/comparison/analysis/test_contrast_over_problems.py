"""Which scores of a problem are read, whatever its responses hold."""

from __future__ import annotations

from pathlib import Path

from tvo_cli.comparison.analysis.contrast_over_problems import _scores_in_responses_file
from tvo_cli.tracking.atomic_files import write_json_lines_atomically


def test_a_response_with_a_line_separator_of_unicode_is_one_row(tmp_path: Path) -> None:
    """As a run writes them: JSON escapes none of these three, and each ends a line of str.splitlines."""
    rows = [{"id": "p0", "correct": True, "response": "a\u2028b\u2029c\x85d"}, {"id": "p1", "correct": False}]
    write_json_lines_atomically(tmp_path / "responses" / "evaluation-step-000002.jsonl", rows)
    assert _scores_in_responses_file(tmp_path, "") == {"p0": [1.0], "p1": [0.0]}

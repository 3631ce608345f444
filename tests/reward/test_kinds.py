"""The kinds of answers that graders are reported to misjudge; kinds.txt is the table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.reward.cases import Pair, read
from tests.reward.conftest import SETTINGS, problem
from tvo_cli.reward import Grader

TABLE = Path(__file__).with_name("kinds.txt")
KINDS = read(TABLE.read_text(encoding="utf-8"))
SAME: list[Pair] = [(gold, answer) for gold, (same, _) in KINDS.items() for answer in same]


def test_every_kind(grader: Grader) -> None:
    rows = [(gold, a, kind == 0) for gold, table in KINDS.items() for kind in (0, 1) for a in table[kind]]
    asked = [problem(gold) for gold, _, _ in rows]
    verdicts = grader.grade([rf"\boxed{{{answer}}}" for _, answer, _ in rows], asked, [True] * len(rows))
    judged = list(zip(rows, verdicts, strict=True))
    assert [(*row, verdict) for row, verdict in judged if verdict.correct != row[2] or verdict.failed] == []


def test_equality_knows_no_side(grader: Grader) -> None:
    """Grader.equal, by which maj@k joins answers: symmetric, also where a gold asks for a written number."""
    equal = grader.equal
    for gold, (same, other) in KINDS.items():
        assert [a for a in [gold, *same] if not (equal(gold, a) and equal(a, gold))] == [], gold
        assert [a for a in other if equal(gold, a) != equal(a, gold)] == [], gold


@pytest.mark.shared
def test_the_given_rows(shared_cases: Path) -> None:
    """Answers that a public report or a real completion showed to be misjudged; none of them is copied here."""
    rows = [json.loads(line) for line in (shared_cases / "grading.jsonl").read_text(encoding="utf-8").splitlines()]
    wrong = []
    for options in {row.get("options", "") for row in rows}:
        chosen = [row for row in rows if row.get("options", "") == options]
        words = options.removeprefix("--").split()
        with Grader({**SETTINGS, **({words[0]: words[1]} if words else {})}) as grader:
            asked = [problem(row["gold"], id=row["id"]) for row in chosen]
            verdicts = grader.grade([row["prediction"] for row in chosen], asked, [True] * len(chosen))
        wrong += [
            row["id"] for row, verdict in zip(chosen, verdicts, strict=True) if verdict.correct != row["expected"]
        ]
    assert wrong == []

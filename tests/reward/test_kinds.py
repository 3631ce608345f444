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


@pytest.mark.parametrize("gold", KINDS)
def test_a_kind(grader: Grader, gold: str) -> None:
    same, other = KINDS[gold]
    answers = [*same, *other]
    verdicts = grader.grade([rf"\boxed{{{a}}}" for a in answers], [problem(gold)] * len(answers), [True] * len(answers))
    said = {answer: verdict.correct for answer, verdict in zip(answers, verdicts, strict=True)}
    assert said == {**dict.fromkeys(same, True), **dict.fromkeys(other, False)}
    assert not any(verdict.failed for verdict in verdicts)


@pytest.mark.parametrize("gold", KINDS)
def test_equality_knows_no_side(grader: Grader, gold: str) -> None:
    """Grader.equal, by which maj@k joins answers: symmetric, also where a gold asks for a written number."""
    same, other = KINDS[gold]
    assert [answer for answer in [gold, *same] if not (grader.equal(gold, answer) and grader.equal(answer, gold))] == []
    assert [a for a in other if grader.equal(gold, a) != grader.equal(a, gold)] == []


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

"""The kinds of answers that graders are reported to misjudge; kinds.txt is the table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reward.cases import Pair, by_rules, few_by_algebra, read
from tests.reward.conftest import problem, verdicts_on
from tvo_cli.reward import Grader

TABLE = Path(__file__).with_name("kinds.txt")
KINDS = read(TABLE.read_text(encoding="utf-8"))
SAME: list[Pair] = [(gold, answer) for gold, (same, _) in KINDS.items() for answer in same]


OTHER: list[Pair] = [(gold, answer) for gold, (_, other) in KINDS.items() for answer in other]


def misjudged(grader: Grader, pairs: list[Pair], *, same: bool) -> list[object]:
    return [(p, v) for p, v in zip(pairs, verdicts_on(grader, pairs), strict=True) if v.correct != same or v.failed]


def one_sided(grader: Grader, pairs: list[Pair]) -> list[Pair]:
    """Pairs that Grader.equal, by which maj@k joins answers, finds equal from one side only."""
    return [(gold, a) for gold, a in pairs if grader.equal(gold, a) != grader.equal(a, gold)]


def test_every_kind(grader: Grader) -> None:
    assert misjudged(grader, few_by_algebra(SAME, 12), same=True) == []
    assert misjudged(grader, few_by_algebra(OTHER, 32), same=False) == []


def test_equality_knows_no_side(grader: Grader) -> None:
    """Also where a gold asks for a written number."""
    pairs = few_by_algebra([*SAME, *OTHER], 32)
    assert one_sided(grader, [p for p in pairs if by_rules(*p) is not by_rules(*p[::-1])][::4]) == []
    assert [p for p in SAME[::8] if by_rules(*p) is not None and not grader.equal(*p[::-1])] == []


@pytest.mark.slow
def test_every_kind_from_both_sides(grader: Grader) -> None:
    assert misjudged(grader, SAME, same=True) == misjudged(grader, OTHER, same=False) == []
    assert one_sided(grader, [*SAME, *OTHER]) == []
    assert [p for p in SAME if not grader.equal(*p[::-1])] == [g for g in KINDS if not grader.equal(g, g)] == []


@pytest.mark.shared
def test_the_given_rows(shared_cases: Path, sharing: Callable[..., Grader]) -> None:
    """Answers that a public report or a real completion showed to be misjudged; none of them is copied here."""
    rows = [json.loads(line) for line in (shared_cases / "grading.jsonl").read_text(encoding="utf-8").splitlines()]
    wrong = []
    for options in {row.get("options", "") for row in rows}:
        chosen = [row for row in rows if row.get("options", "") == options]
        words = options.removeprefix("--").split()
        asked = [problem(row["gold"], id=row["id"]) for row in chosen]
        like = sharing(**({words[0]: words[1]} if words else {}))
        verdicts = like.grade([row["prediction"] for row in chosen], asked, [True] * len(chosen))
        wrong += [
            row["id"] for row, verdict in zip(chosen, verdicts, strict=True) if verdict.correct != row["expected"]
        ]
    assert wrong == []

"""The golds of MATH against the boxes of their own solutions; nothing of the data is in the repository."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reward.conftest import SETTINGS, problem
from tvo_cli.reward import Grader
from tvo_cli.types import Verdict

DATA = Path(__file__).parents[3] / "shared/data/math_test.jsonl"
pytestmark = [pytest.mark.shared, pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data")]


def rows(step: int) -> list[dict[str, str]]:
    return [json.loads(line) for line in DATA.read_text().splitlines()[::step]]


def own(grader: Grader, chosen: list[dict[str, str]]) -> list[Verdict]:
    asked = [problem(row["answer"], id=row["id"], question=row["problem"]) for row in chosen]
    verdicts = grader.grade([row["solution"] for row in chosen], asked, [True] * len(chosen))
    assert grader.counts == {}
    return verdicts


def test_a_hundred_solutions(sharing: Callable[..., Grader]) -> None:
    verdicts = own(sharing(), rows(51)[:98])
    assert sum(verdict.correct for verdict in verdicts) >= 97


@pytest.mark.slow
def test_all_solutions(sharing: Callable[..., Grader]) -> None:
    """What is missed are solutions with several different boxes together (12) and one that boxes the question."""
    verdicts = own(sharing(), rows(1))
    assert sum(verdict.correct for verdict in verdicts) >= 4980
    assert all(v.correct or v.reason in ("several answers", "restates the question") for v in verdicts)


@pytest.mark.slow
def test_a_stranger_s_gold_is_not_accepted() -> None:
    """Each gold as the answer to the next problem: right only where the two golds say the same."""
    chosen = rows(1)
    asked = [problem(row["answer"], question=row["problem"]) for row in chosen]
    answers = [row["answer"] for row in chosen[1:] + chosen[:1]]
    with Grader(SETTINGS) as grader:
        verdicts = grader.grade([rf"\boxed{{{answer}}}" for answer in answers], asked, [True] * len(asked))
    odd = [(p.answer, a) for p, a, v in zip(asked, answers, verdicts) if v.correct and p.answer != a]
    assert len(odd) <= 2  # 120 degrees against 120, 7 percent against 7

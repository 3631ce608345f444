"""No near miss is accepted: thousands of answers that are wrong by construction, of the golds of every table."""

from __future__ import annotations

import contextlib
import json
import random
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from tests.reward import near_misses
from tests.reward.cases import CASES
from tests.reward.conftest import verdicts_on
from tests.reward.test_kinds import KINDS, SAME
from tvo_cli.reward import Grader
from tvo_cli.reward.equality_rules import NeedsAlgebra, equal_answers, no_algebra

OWN = [*CASES, *KINDS]
SEED = 13
FAST, MUTATED, MANY = 1_500, 500, 20_000


def accepted(grader: Grader, misses: list[near_misses.Miss]) -> list[near_misses.Miss]:
    verdicts = verdicts_on(grader, [(gold, answer) for gold, answer, _ in misses])
    return [miss for miss, verdict in zip(misses, verdicts, strict=True) if verdict.correct]


@pytest.mark.slow
def test_a_sample_of_our_own_golds(grader: Grader) -> None:
    misses = list(islice(near_misses.near_misses(OWN, SEED), FAST))
    assert {rule for _, _, rule in misses} == {rule.__name__ for rule in near_misses.RULES}
    assert accepted(grader, misses) == []


@pytest.mark.slow
@pytest.mark.shared
def test_twenty_thousand_of_all_golds(grader: Grader, shared: Path, shared_cases: Path) -> None:
    golds = list(OWN)
    for path in (shared_cases / "grading.jsonl", shared / "math_test.jsonl", shared / "math_train.jsonl"):
        rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        golds += [row.get("gold") or row.get("answer") or "" for row in rows]
    misses = list(islice(near_misses.near_misses(sorted({gold for gold in golds if gold}), SEED), MANY))
    assert min(Counter(rule for _, _, rule in misses).values()) > 500
    assert accepted(grader, misses) == []


PIECES = r"""\text{ \frac \sqrt { } ^ _ , : ( ) [ ] \ \cup \in < = \lor \pm $ 1 x e ½ ² √ \over \left \boxed{ % | \pmod
\begin{cases} & ' * 个 ٣ \mathbb{R} \setminus \{ \} ... \ne \le \text{or} \text{to} \text{base}""".split()  # noqa: SIM905


@pytest.mark.slow
def test_no_mutated_answer_raises() -> None:
    """Two texts of a model are compared in the parent, where nothing may raise but the call for algebra."""
    rng = random.Random(SEED)
    answers = [*OWN, *(answer for _, answer in SAME)]
    for _ in range(MUTATED):
        texts = [_mutated(rng.choice(answers), rng) for _ in range(2)]
        for left, right in (texts, texts[::-1]):
            with contextlib.suppress(NeedsAlgebra):
                equal_answers(left, right, no_algebra)


def _mutated(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 6)):
        i = rng.randrange(len(text) + 1)
        text = text[:i] + rng.choice(PIECES) + text[i + rng.choice((0, 0, 1, 3)) :]
    return text * rng.choice((1, 1, 2))


@pytest.mark.parametrize(
    ("rule", "gold"),
    [
        (near_misses.altered_number, "(1, 2)"),
        (near_misses.exchanged_order, "(1, 2)"),
        (near_misses.other_bracket, "[1,2)"),
        (near_misses.and_for_or, r"x<1 \text{ or } x>2"),
        (near_misses.exchanged_units, r"3 \text{ hours } 20 \text{ minutes}"),
        (near_misses.degrees_of_pi, r"\frac{\pi}{3}"),
        (near_misses.other_base, "101_2"),
        (near_misses.permuted_ratio, "2:3"),
    ],
)
def test_a_rule_makes_another_answer(rule: Callable[[str, random.Random], str | None], gold: str) -> None:
    answers = {rule(gold, random.Random(seed)) for seed in range(5)} - {None}
    assert answers and gold not in answers


def test_what_cannot_be_known_to_be_a_miss_is_not_made() -> None:
    rng = random.Random(1)
    assert near_misses.exchanged_order("(2, 2)", rng) is None
    assert near_misses.altered_number("x+1", rng) is None
    assert near_misses.degrees_of_pi("x", rng) is None
    assert near_misses.other_sign("0", rng) is None

"""DiffAdapt's measurement: what is read of responses, lots of the same shares, and an oracle that cannot peek."""

from __future__ import annotations

from typing import Any, cast

import pytest

from benchmarks.harness.record import Row
from benchmarks.strategies import ARMS, STRATEGIES, _lots, _oracle, of_responses, table
from tests.benchmarks.test_second_edition import Readings


def response(problem: str, sample: int, correct: bool, tokens: int, strategy: str | None = None) -> Row:
    found: Row = {"id": problem, "sample": sample, "correct": correct, "tokens": tokens}
    return found | ({"strategy": {"name": strategy}} if strategy else {})


def test_halves_of_the_samples_are_read_by_problem_whatever_their_order() -> None:
    rows = [response("a", n, n < 2, 10 + n, "easy") for n in (3, 0, 2, 1)]
    rows += [response("b", n, n == 3, 4, "hard") for n in range(4)]
    found = of_responses(rows, "diffadapt")
    assert found == {"first": [1.0, 0.0], "second": [0.0, 0.5], "tokens": [11.5, 4.0], "shares": [0.5, 0.0, 0.5]}
    fixed = of_responses([response("a", n, True, 5) for n in range(2)], "normal, colder")
    assert fixed["shares"] == [0.0, 1.0, 0.0]


def row_of(first: list[float], second: list[float], tokens: list[float]) -> Row:
    return {"first": first, "second": second, "tokens": tokens}


def test_the_oracle_chooses_by_one_half_and_is_scored_by_the_other() -> None:
    lucky, steady = row_of([1.0], [0.0], [5.0]), row_of([0.5], [0.5], [9.0])
    assert _oracle([lucky, steady]) == [((0.0 + 0.5) / 2, (5.0 + 9.0) / 2)]
    assert _oracle([row_of([0.5], [0.5], [7.0]), steady]) == [(0.5, 7.0)], "of equals the one of fewer tokens"


def test_lots_weigh_the_strategies_by_their_shares() -> None:
    fixed = {name: [row_of([x], [x], [10 * x])] for name, x in zip(STRATEGIES, (0.2, 0.6, 1.0), strict=True)}
    assert _lots(fixed, 0, (0.5, 0.0, 0.5)) == [(pytest.approx(0.6), pytest.approx(6.0))]


def test_the_table_sets_every_arm_beside_the_normal_strategy_for_all() -> None:
    rows = []
    for arm in ARMS:
        right, tokens = ([0.5, 1.0], [8.0, 12.0]) if arm == "normal" else ([0.25, 0.75], [4.0, 6.0])
        probe = {"extra": 100, "held_out": 0.75} if arm.startswith("diffadapt") else {"extra": 0, "held_out": None}
        found = row_of(right, right, tokens) | {"limit": 22, "seed": 0, "arm": arm, "shares": [0.0, 0.0, 1.0]}
        rows.append(found | probe)
    lines = {line.split("|")[1].strip(): line for line in table(cast(Any, Readings(rows))).splitlines() if "|" in line}
    assert "| normal | 0.750 | 10.00 |  |  | 13.3 |" in lines["normal"]
    assert "| 0.500 | 5.00 | -0.250 [-0.250, -0.250] | -5.000 [" in lines["hard"]
    assert lines["diffadapt"].endswith("| 0.00, 0.00, 1.00 | 100 | 0.75 |")
    assert "| 0.500 | 5.00 | -0.250 [" in lines["lots with the shares of diffadapt"]
    assert "| 0.750 | 10.00 |  |  |" in lines["oracle"]

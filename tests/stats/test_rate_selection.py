"""The best of several rates and its optimism, by hand and by a slow loop."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from tvo_cli.stats.rate_selection import SPLITS, WEIGHT, _expected_greatest_normal, halvings_of_seeds, select_rate

NAN = math.nan


def slow(rows: list[list[float]]) -> float:
    """`held_out` of an even number of seeds [seeds][rates], half by half."""
    n = len(rows)
    found: list[float] = []
    for chosen in combinations(range(n), n // 2):
        halves = [[rows[i] for i in range(n) if (i in chosen) is inside] for inside in (True, False)]
        train, test = ([sum(column) / len(half) for column in zip(*half)] for half in halves)
        found.append(test[train.index(max(train))])
    return sum(found) / len(found)


def test_two_seeds_two_rates_by_hand() -> None:
    """Seed 0 says rate 0 (0.9 over 0.1), seed 1 says rate 1 (0.8 over 0.3). Means 0.6, 0.45. Held out: 0.3 and 0.1."""
    found = select_rate([[0.9, 0.1], [0.3, 0.8]])
    assert (found.best, found.apparent) == (0, pytest.approx(0.6))
    assert found.held_out == pytest.approx(0.2)
    # the difference, 0.4, is more than two tied rates owe: (1/√π) · sd/√2 = 0.5641896 · 0.3
    assert found.correction == pytest.approx(WEIGHT * 0.3 / math.sqrt(math.pi))


def test_below_the_bound_the_difference_counts() -> None:
    rows = [[0.9, 0.6], [0.3, 0.5]]
    # seed 0 chooses rate 0, scored 0.3; seed 1 chooses rate 1, scored 0.6: 0.45
    found = select_rate(rows)
    assert found.held_out == pytest.approx(0.45)
    assert found.correction == pytest.approx(WEIGHT * 0.15)


@pytest.mark.parametrize(("count", "value"), [(2, 0.5641896), (3, 0.8462844), (4, 1.0293754), (8, 1.4236003)])
def test_the_greatest_of_normals(count: int, value: float) -> None:
    """The known means of the largest order statistic (Harter 1961, table 1)."""
    assert _expected_greatest_normal(count) == pytest.approx(value, abs=1e-6)


def test_a_collapse_that_a_half_misses_is_no_optimism_of_the_steady_rate() -> None:
    """Rate 1 is better in four of five seeds and collapses in one: the steady rate 0 loses little by the choice."""
    rows = [[0.70, 0.75], [0.72, 0.76], [0.71, 0.74], [0.69, 0.75], [0.70, 0.05]]
    found = select_rate(rows)
    assert found.best == 0 and float(found.apparent - found.held_out) > 0.08
    assert found.correction == pytest.approx(
        WEIGHT / math.sqrt(math.pi) * np.std([70, 72, 71, 69, 70], ddof=1) / 100 / math.sqrt(5)
    )


def test_a_slow_loop_agrees() -> None:
    rows = np.random.default_rng(2).standard_normal((6, 3))
    assert float(select_rate(rows).held_out) == pytest.approx(slow(rows.tolist()))


def test_many_experiments_at_once_are_each_by_itself() -> None:
    many = np.random.default_rng(3).standard_normal((5, 7, 4))
    together = select_rate(many)
    for i, one in enumerate(many):
        assert float(together.correction[i]) == pytest.approx(float(select_rate(one).correction))


def test_a_rate_that_every_half_prefers_owes_nothing_to_the_choice() -> None:
    found = select_rate([[0.9, 0.1], [0.8, 0.2], [0.7, 0.1], [0.9, 0.3]])
    assert found.correction == pytest.approx(0.0) and found.best == 0


@pytest.mark.parametrize("rows", [[[0.5, 0.7]], [[0.5], [0.7], [0.6]]])
def test_one_seed_or_one_rate_is_no_choice(rows: list[list[float]]) -> None:
    assert select_rate(rows).correction == 0.0


def test_missing_scores_are_left_out() -> None:
    """Seed 2 was not run at rate 1: where it alone chooses, it takes rate 0."""
    rows = [[0.6, 0.5], [0.2, 0.7], [0.4, NAN]]
    # choose by 0 → rate 0, scored (0.2+0.4)/2; by 1 → rate 1, 0.5; by 2 → rate 0, 0.4; by 1, 2 → rate 1 (0.7 > 0.3),
    # 0.5; by 0, 2 → rate 0 (0.5, first of equals), 0.2; by 0, 1 → rate 1 (0.6 > 0.4), where seed 2 has no score
    found = select_rate(rows)
    assert found.held_out == pytest.approx((0.3 + 0.5 + 0.4 + 0.5 + 0.2) / 5)
    assert found.apparent == pytest.approx(0.6) and found.best == 1


def test_halvings_are_all_up_to_nine_seeds_and_the_same_sample_beyond() -> None:
    assert len(halvings_of_seeds(4)) == 6 and len(halvings_of_seeds(5)) == 20 and len(halvings_of_seeds(9)) == 252
    many = halvings_of_seeds(40)
    assert len(many) <= 2 * SPLITS and set(many.sum(1)) == {20.0}
    assert {tuple(row) for row in many} == {tuple(1 - row) for row in many}

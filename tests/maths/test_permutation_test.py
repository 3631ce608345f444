"""z of the permutation test against every choice counted, against the hypergeometric law, and at its edges."""

from __future__ import annotations

import math
from itertools import combinations
from statistics import NormalDist

import pytest
import torch

from tvo_cli.maths.permutation_test import largest_permutation_z, permutation_z, score_z


def tensor(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def counted_z(first: list[float], second: list[float]) -> float:
    """z of the share of choices whose sum is at least that of `first`, one by one."""
    pool, n = first + second, len(first)
    sums = [sum(pool[i] for i in chosen) for chosen in combinations(range(len(pool)), n)]
    return -NormalDist().inv_cdf(sum(one >= sum(first) - 1e-9 for one in sums) / len(sums))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([0.9, 0.3, 0.8, 0.75, 0.6, 0.95, 0.5], [0.1, 0.4, 0.2, 0.55, 0.05, 0.35, 0.45]),
        ([1.0, 0.75, 0.75, 1.0, 0.5], [0.25, 0.0, 0.5, 0.25, 0.0, 0.5, 0.0, 0.75]),  # quarters; unequal numbers
        ([5.0, 0.1, 2.2, 1.7, 3.1, 0.9], [0.2, 0.3, 0.05, 0.6, 0.4, 1.1]),  # skewed
    ],
)
def test_it_is_the_share_of_choices_with_as_large_a_sum(first: list[float], second: list[float]) -> None:
    assert permutation_z(tensor(first), tensor(second)) == pytest.approx(counted_z(first, second), abs=0.06)


@pytest.mark.parametrize(
    ("failures", "of", "earlier", "of_earlier"), [(16, 128, 1, 128), (60, 128, 20, 128), (9, 128, 2, 640)]
)
def test_of_right_and_wrong_it_is_fishers_exact_test(failures: int, of: int, earlier: int, of_earlier: int) -> None:
    total, choices = failures + earlier, math.comb(of + of_earlier, of)
    ways = [math.comb(total, k) * math.comb(of + of_earlier - total, of - k) for k in range(failures, total + 1)]
    exact = -NormalDist().inv_cdf(sum(ways) / choices)
    first = tensor([1.0] * failures + [0.0] * (of - failures))
    second = tensor([1.0] * earlier + [0.0] * (of_earlier - earlier))
    assert permutation_z(first, second) == pytest.approx(exact, abs=0.01)


def test_where_no_choice_is_larger_the_count_is_exact() -> None:
    assert permutation_z(torch.ones(9), torch.zeros(9)) == pytest.approx(largest_permutation_z(9, 9))
    assert largest_permutation_z(9, 9) == pytest.approx(-NormalDist().inv_cdf(1 / 48620))
    all_failures = permutation_z(tensor([1.0] * 16 + [0.0] * 112), torch.zeros(128))
    assert all_failures == pytest.approx(-NormalDist().inv_cdf(math.comb(128, 16) / math.comb(256, 16)), abs=1e-9)


def test_equal_values_tell_nothing_and_order_turns_the_sign() -> None:
    assert permutation_z(torch.ones(8), torch.ones(8)) == 0.0 == score_z(torch.ones(8), torch.ones(8))
    some, others = tensor([0.9, 0.8, 0.3, 0.7, 1.0]), tensor([0.1, 0.2, 0.6, 0.0, 0.3])
    assert permutation_z(some, others) == pytest.approx(-permutation_z(others, some))


def test_a_difference_within_rounding_of_equal_values_tells_nothing() -> None:
    assert permutation_z(torch.full((64,), 1.0 + 1e-12).double(), torch.ones(64).double()) == 0.0


def test_the_score_is_the_difference_over_its_error_in_a_random_choice() -> None:
    """10 wrong of 40 against 2 of 40: pooled variance 0.15 · 0.85, times N/(N − 1) for choices without repetition."""
    first, second = tensor([1.0] * 10 + [0.0] * 30), tensor([1.0] * 2 + [0.0] * 38)
    assert score_z(first, second) == pytest.approx(0.2 / math.sqrt(0.15 * 0.85 * 2 / 40 * 80 / 79))

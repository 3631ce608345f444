from __future__ import annotations

import math
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest

from tvo_cli.stats import clustered_interval, mean_interval, pass_at_k, standard_error, wilson_interval
from tvo_cli.stats.confidence_interval import t_quantile


@pytest.mark.parametrize(
    ("n", "c", "k", "value"),
    [
        (3, 1, 2, 0.666667),
        (4, 2, 2, 0.833333),
        (10, 3, 5, 0.916667),
        (64, 5, 16, 0.775421),
        (256, 3, 64, 0.579782),
        (8, 0, 4, 0.0),
        (8, 5, 4, 1.0),
        (8, 8, 1, 1.0),
        (10, 3, 1, 0.3),
    ],
)
def test_pass_at_k(n: int, c: int, k: int, value: float) -> None:
    assert pass_at_k(n, c, k) == pytest.approx(value, abs=5e-7)


def test_pass_at_k_counts_the_draws() -> None:
    for c in range(8):
        draws = list(combinations(range(7), 3))
        share = sum(any(i < c for i in draw) for draw in draws) / len(draws)
        assert pass_at_k(7, min(c, 7), 3) == pytest.approx(share, rel=1e-12)


@pytest.mark.parametrize(("n", "c", "k"), [(4, 1, 5), (4, 5, 1), (4, -1, 1), (4, 1, 0)])
def test_pass_at_k_refuses(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError):
        pass_at_k(n, c, k)


@pytest.mark.parametrize(
    ("probability", "degrees", "value"),
    [  # tables of Student's distribution
        (0.975, 1, 12.706204736432095),
        (0.975, 2, 4.302652729911275),
        (0.975, 4, 2.7764451051977987),
        (0.975, 9, 2.2621571628540993),
        (0.975, 29, 2.045229642132703),
        (0.975, 499, 1.9647293909876649),
        (0.95, 5, 2.015048373333024),
        (0.995, 3, 5.840909309733355),
        (0.9995, 7, 5.407882520861727),
        (0.025, 4, -2.7764451051977987),
    ],
)
def test_student_quantile(probability: float, degrees: float, value: float) -> None:
    assert t_quantile(probability, degrees) == pytest.approx(value, rel=1e-9)


def test_student_with_many_degrees_is_nearly_normal() -> None:
    """z + (z³ + z)/(4ν), Cornish and Fisher's first term."""
    z = 1.959963984540054
    assert t_quantile(0.975, 1e6) == pytest.approx(z + (z**3 + z) / 4e6, rel=1e-9)


def test_student_in_closed_form() -> None:
    """x = tan(π(p − ½)) for ν = 1, and (2p−1)/√(2p(1−p)) for ν = 2."""
    for p in (0.01, 0.3, 0.5, 0.975):
        assert t_quantile(p, 1) == pytest.approx(math.tan(math.pi * (p - 0.5)), abs=1e-9)
        assert t_quantile(p, 2) == pytest.approx((2 * p - 1) / math.sqrt(2 * p * (1 - p)), abs=1e-9)


def test_standard_errors_of_the_record() -> None:
    assert standard_error([1.0] * 381 + [0.0] * 119) == pytest.approx(0.0191, abs=5e-5)  # MATH-500 at 0.762
    assert standard_error([1.0] * 3 + [0.0] * 27) == pytest.approx(0.0557, abs=5e-5)  # AIME24 at 0.10


def test_mean_interval_over_seeds() -> None:
    """1, 2, 3: sd 1, half-width 4.302653/√3."""
    mean, low, high, n = mean_interval([1.0, 2.0, 3.0], 0.95)
    assert (mean, n) == (2.0, 3)
    assert (low, high) == (pytest.approx(2 - 2.484138, abs=1e-6), pytest.approx(2 + 2.484138, abs=1e-6))
    narrow = mean_interval([1.0, 2.0, 3.0], 0.5)
    assert narrow.high - narrow.low == pytest.approx(2 * 0.816496580927726 / math.sqrt(3), rel=1e-9)


def test_one_value_has_no_interval() -> None:
    mean, low, high, n = mean_interval([0.5])
    assert (mean, n) == (0.5, 1) and math.isnan(low) and math.isnan(high)
    with pytest.raises(ValueError):
        mean_interval([])


def score_roots(share: float, problems: float, t: float) -> list[float]:
    """Where (share − p)² = t² p (1 − p)/problems, by the roots of the quadratic."""
    return sorted(np.roots([1 + t * t / problems, -2 * share - t * t / problems, share * share]).real.tolist())


def test_clustered_interval_counts_problems_not_samples() -> None:
    """Means 1, ½, 0, ½: variance ⅛ of at most ¼, so d̂ = ½; e = 2, d = (2·½ + 2)/(2 + 2) = ¾, 4/d = 5⅓ problems."""
    rows = [[1.0, 1.0], [1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]
    found = clustered_interval(rows)
    assert (found.mean, found.n) == (0.5, 4)
    assert [found.low, found.high] == pytest.approx(score_roots(0.5, 16 / 3, 3.182446305), rel=1e-8)
    half = clustered_interval(rows, 0.5)
    assert [half.low, half.high] == pytest.approx(score_roots(0.5, 16 / 3, 0.764892328404345), rel=1e-9)
    assert clustered_interval([row * 50 for row in rows], 0.5) == pytest.approx(half)


def test_where_every_problem_has_one_score_the_interval_is_wilsons() -> None:
    assert clustered_interval([[0.0, 0.0]] * 30) == wilson_interval(0, 30)
    assert clustered_interval([[1.0]] * 30) == wilson_interval(30, 30)
    assert clustered_interval([[1.0]] * 97 + [[0.0]] * 3) == wilson_interval(97, 100)
    assert clustered_interval([[1.0, 1.0]] * 5 + [[0.0]] * 25) == wilson_interval(5, 30)
    assert clustered_interval([[1.0]] + [[0.0]] * 1999) == wilson_interval(1, 2000)


def test_equal_problems_are_no_certainty() -> None:
    """Ten problems, each solved in half of its samples: no spread, e = 5, d = 2/7, so 35 problems."""
    found = clustered_interval([[1.0, 0.0]] * 10)
    assert [found.low, found.high] == pytest.approx(score_roots(0.5, 35.0, 2.262157163), rel=1e-8)


def test_one_problem_with_several_samples_has_no_interval() -> None:
    found = clustered_interval([[1.0, 0.0]])
    assert found.mean == 0.5 and math.isnan(found.low) and math.isnan(found.high)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(0, 30, 0.0, 0.1135), (30, 30, 0.8865, 1.0), (15, 30, 0.3315, 0.6685), (81, 263, 0.2553, 0.3662)],
)
def test_wilson(successes: int, n: int, low: float, high: float) -> None:
    """81 of 263: the example of Newcombe 1998."""
    found = wilson_interval(successes, n)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@pytest.mark.parametrize(
    "call", [lambda: wilson_interval(2, 1), lambda: wilson_interval(0, 0), lambda: wilson_interval(0, 3, 1.0)]
)
def test_wilson_refuses(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]


def test_training_and_grading_do_not_wait_for_scipy() -> None:
    code = "import sys, tvo_cli.stats; print(sorted({'numpy', 'scipy', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

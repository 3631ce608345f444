"""Which seeds make pairs, and what the rule wins."""

from __future__ import annotations

import numpy as np
import pytest

from tvo_cli.comparison.analysis.contrast_over_seeds import are_paired
from tvo_cli.stats.t_tests import paired_difference, welch_difference


@pytest.mark.parametrize(
    ("common", "first", "second", "paired"),
    [(2, 2, 2, True), (1, 1, 1, False), (5, 10, 10, True), (4, 10, 10, False), (3, 3, 10, False), (3, 6, 3, True)],
)
def test_two_seeds_and_half_of_each_arm_s_make_pairs(common: int, first: int, second: int, paired: bool) -> None:
    assert are_paired(common, first, second) is paired


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_two_pairs_of_ten_seeds_find_little_and_all_runs_find_most(correlation: float) -> None:
    rng, experiments = np.random.default_rng(1), 1000
    a, b = rng.standard_normal((2, experiments, 10))
    b[:, :2] = correlation * a[:, :2] + (1 - correlation**2) ** 0.5 * b[:, :2]  # the shared seeds
    seen = {
        (name, shift): np.mean([test(x[:take] + shift, y[:take]).p < 0.05 for x, y in zip(a, b, strict=True)])
        for name, test, take in (("pairs", paired_difference, 2), ("all", welch_difference, 10))
        for shift in (0.0, 1.2)
    }
    assert seen["pairs", 1.2] < 0.3 and seen["all", 1.2] > 0.65
    assert seen["all", 0.0] < 0.07  # 0.05 + 3 standard errors

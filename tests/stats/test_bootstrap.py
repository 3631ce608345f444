from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tvo_cli.stats import bootstrap
from tvo_cli.stats.bootstrap import clustered_bootstrap, paired_clustered_bootstrap

pytestmark = pytest.mark.filterwarnings("error")  # numpy says nothing on the way to a nan

ROWS = [[1.0, 0.0, 1.0, 1.0], [0.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0, 0.0], [0.5]]


def test_the_mean_is_of_the_problems_means() -> None:
    found = clustered_bootstrap(ROWS, draws=50)
    assert found.mean == pytest.approx((0.75 + 0.0 + 1.0 + 0.25 + 0.5) / 5) and found.n == 5


@pytest.mark.slow
def test_one_generation_each_is_the_plain_bootstrap() -> None:
    """All 3³ equally likely resamples of 0, 0, 1: mean 0, 1/3, 2/3, 1 with chances 8, 12, 6, 1 of 27."""
    found = clustered_bootstrap([[0.0], [0.0], [1.0]], confidence=0.6, draws=20_000)
    assert (found.low, found.high) == (0.0, pytest.approx(2 / 3))  # 20% < 8/27, 20/27 < 80% < 26/27
    narrow = clustered_bootstrap([[0.0], [0.0], [1.0]], confidence=0.3, draws=20_000)
    assert (narrow.low, narrow.high) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    wide = clustered_bootstrap([[0.0], [0.0], [1.0]], confidence=0.9, draws=20_000)
    assert wide.high == pytest.approx(2 / 3)  # P(mean = 1) = 1/27 < 5%


@pytest.mark.slow
def test_the_spread_is_that_of_two_levels() -> None:
    """Two problems of mean 1/2 each: the problems add nothing, 4 generations each √(1/4 / 4 / 2) = 0.177 in a draw."""
    rows = [[1.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 1.0]]
    found = clustered_bootstrap(rows, confidence=0.6826895, draws=20_000)
    assert (found.high - found.low) / 2 == pytest.approx(math.sqrt(0.03125), abs=0.06)
    flat = clustered_bootstrap([[0.5], [0.5]], draws=100)
    assert flat.low == flat.high == 0.5


@pytest.mark.slow
def test_a_slow_loop_agrees() -> None:
    generator = np.random.default_rng(1)
    means = []
    for _ in range(4000):
        chosen = [ROWS[i] for i in generator.integers(5, size=5)]
        means.append(np.mean([np.mean(generator.choice(row, len(row))) for row in chosen]))
    slow = np.quantile(means, [0.05, 0.95])
    found = clustered_bootstrap(ROWS, confidence=0.9, draws=4000, seed=5)
    assert (found.low, found.high) == pytest.approx(tuple(slow), abs=0.03)


def test_a_seed_gives_one_answer() -> None:
    assert clustered_bootstrap(ROWS, seed=3, draws=200) == clustered_bootstrap(ROWS, seed=3, draws=200)
    assert clustered_bootstrap(ROWS, seed=3, draws=200) != clustered_bootstrap(ROWS, seed=4, draws=200)


def test_shared_problems_cancel() -> None:
    """Problems of chance 0 or 1 in both arms: only what differs between the arms is left."""
    a = [[1.0] * 8] * 10 + [[0.0] * 8] * 10
    found = paired_clustered_bootstrap(a, a, draws=300)
    assert (found.difference, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)
    single = clustered_bootstrap(a, draws=300)
    assert single.high - single.low > 0.3


def test_paired_difference() -> None:
    a, b = [[1.0, 1.0, 0.0]] * 30, [[1.0, 0.0, 0.0]] * 30
    found = paired_clustered_bootstrap(a, b, draws=1000)
    assert found.difference == pytest.approx(1 / 3) and 0 < found.low < 1 / 3 < found.high
    assert (found.n, found.method) == (30, "clustered bootstrap") and found.p == pytest.approx(2 / 1001)
    turned = paired_clustered_bootstrap(b, a, draws=1000)
    assert turned.difference == pytest.approx(-1 / 3) and turned.high < 0


def one_by_one(rows: list[list[float]], problems: NDArray[np.int64], generator: np.random.Generator) -> float:
    """A draw's mean by its definition: of each chosen problem as many generations as it has, place ⌊u · many⌋."""
    chosen = [rows[i] for i in problems]
    places = iter(generator.random(sum(map(len, chosen))))
    return float(np.mean([sum(row[int(next(places) * len(row))] for _ in row) / len(row) for row in chosen]))


RIGHT = [[1.0, 0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0, 0.0], [1.0] * 5, [0.0, 1.0, 1.0, 0.0, 0.0]]
WRONG = [[0.0, 0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 1.0, 1.0, 1.0], [0.0] * 5]
ANY = [[1.0, 0.0, 0.3], [0.7], [0.0, 0.25], [1.0, 1.0, 0.0, 0.0]]


@pytest.mark.parametrize("block", [bootstrap.BLOCK, 10])  # all four problems at once, and two by two
@pytest.mark.parametrize(("a", "b"), [(RIGHT, WRONG), (RIGHT, ANY), (ANY, WRONG)])
def test_a_seed_gives_the_draws_that_a_slow_loop_makes_of_it(
    a: list[list[float]], b: list[list[float]], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With rows of equally many 0/1 scores, which are drawn another way, and with any."""
    monkeypatch.setattr(bootstrap, "BLOCK", block)
    generator = np.random.default_rng(8)
    seen = []
    for _ in range(200):
        problems = generator.integers(4, size=4)
        seen.append(one_by_one(a, problems, generator) - one_by_one(b, problems, generator))
    found = paired_clustered_bootstrap(a, b, confidence=0.8, draws=200, seed=8)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(seen, [0.1, 0.9])), rel=1e-14)


def test_a_draw_of_equal_means_counts_to_both_sides_whatever_float_makes_of_it() -> None:
    """Means of fifths: that two are equal is known of fractions; of floats one is often 1e-17 greater."""
    generator = np.random.default_rng(0)
    exact = []
    for _ in range(500):
        problems = generator.integers(4, size=4)
        sums = []
        for rows in (RIGHT, WRONG):
            places = iter(generator.random(20))
            sums.append(sum(int(rows[i][int(next(places) * 5)]) for i in problems for _ in range(5)))
        exact.append(sums[0] - sums[1])
    hits = min(sum(x <= 0 for x in exact), sum(x >= 0 for x in exact))
    assert paired_clustered_bootstrap(RIGHT, WRONG, draws=500, seed=0).p == pytest.approx(2 * (hits + 1) / 501)


def test_a_draw_of_many_scores_takes_little_memory_at_once() -> None:
    """160,000 scores of 8 bytes: arrays of all of them are fresh pages at each draw, which cost most of its time."""
    scores = bootstrap._RaggedScores([[float(i % 7 < j % 5) for j in range(320)] for i in range(500)])
    generator = np.random.default_rng(0)
    tracemalloc.start()
    scores.mean(generator.integers(500, size=500), generator)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 8 * bootstrap.BLOCK  # 0.5 MB; with whole arrays 6


@pytest.mark.parametrize(
    "call",
    [
        lambda: clustered_bootstrap([]),
        lambda: clustered_bootstrap([[1.0], []]),
        lambda: clustered_bootstrap([[1.0]], confidence=0.0),
        lambda: paired_clustered_bootstrap([[1.0]], [[1.0], [0.0]]),
    ],
)
def test_what_cannot_be_resampled(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()

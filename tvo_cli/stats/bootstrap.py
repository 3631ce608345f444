"""Bootstrap over problems and their generations. Over seeds it is far too narrow: there use t."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tvo_cli.stats.confidence_interval import ConfidenceInterval
from tvo_cli.stats.t_tests import NOISE, Difference

Rows = Sequence[Sequence[float]]
BLOCK = 16_384  # scores that are drawn at once: their arrays fit into a processor's cache


def clustered_bootstrap(scores: Rows, confidence: float = 0.95, draws: int = 2000, seed: int = 0) -> ConfidenceInterval:
    """The mean over problems of the mean over their generations, percentile interval of a two-level bootstrap.

    scores: one row of scores in [0, 1] per problem. A draw takes as many problems, with replacement, and from each
    as many of its generations, with replacement. Resampling both levels counts the generations' noise twice, so
    the interval is wide rather than narrow; give each problem's mean as its only score for the one-level bootstrap.
    Davison and Hinkley 1997, section 3.8. No spread at all gives an interval of width 0: `clustered_interval` does
    better there. No problems, or a problem without generations: ValueError.
    """
    rows = _RaggedScores(scores)
    generator = np.random.default_rng(seed)
    means = [rows.mean(generator.integers(rows.n, size=rows.n), generator) for _ in range(draws)]
    low, high = _percentile_ends(means, confidence)
    return ConfidenceInterval(rows.observed, low, high, rows.n)


def paired_clustered_bootstrap(
    a: Rows, b: Rows, confidence: float = 0.95, draws: int = 2000, seed: int = 0
) -> Difference:
    """a − b over the problems both share: row i of a and row i of b are the generations of the same problem.

    A draw takes problems once for both arms, and generations for each. p = 2·min(share ≤ 0, share ≥ 0) of the
    draws, each share with one added to draws and hits (Davison and Hinkley 1997, ch. 4). `clustered_bootstrap`
    says what is resampled; a and b of different lengths: ValueError.
    """
    first, second = _RaggedScores(a), _RaggedScores(b)
    if first.n != second.n:
        raise ValueError(f"{first.n} problems cannot be paired with {second.n}")
    generator = np.random.default_rng(seed)
    chosen = (generator.integers(first.n, size=first.n) for _ in range(draws))
    found = [first.mean(problems, generator) - second.mean(problems, generator) for problems in chosen]
    low, high = _percentile_ends(found, confidence)
    hits = min(sum(x <= NOISE for x in found), sum(x >= -NOISE for x in found))  # equal means differ by rounding
    p = min(1.0, 2.0 * (hits + 1) / (draws + 1))
    return Difference(first.observed - second.observed, low, high, p, first.n, math.nan, "clustered bootstrap")


class _RaggedScores:
    """Ragged rows of scores, laid flat so that a draw is a few array operations."""

    def __init__(self, rows: Rows) -> None:
        self.n, self.lengths = len(rows), np.array([len(row) for row in rows])
        if not self.n or not self.lengths.all():
            raise ValueError("a bootstrap needs at least one problem, and a score of each")
        self.flat = np.concatenate([np.asarray(row, dtype=np.float64) for row in rows])
        self.starts = np.concatenate(([0], np.cumsum(self.lengths)[:-1]))
        self.observed = float((np.add.reduceat(self.flat, self.starts) / self.lengths).mean())
        self.hits = (self.flat == 1.0).view(np.uint8)
        self.are_hits_alike = bool((self.hits == self.flat).all() and (self.lengths == self.lengths[0]).all())

    def mean(self, problems: NDArray[np.int64], generator: np.random.Generator) -> float:
        """The mean of the chosen problems, each by as many of its generations drawn anew."""
        draw = self._mean_of_hits if self.are_hits_alike else self._mean_of_any_rows
        return draw(problems, generator)

    def _mean_of_hits(self, problems: NDArray[np.int64], generator: np.random.Generator) -> float:
        """The same number to the bit, of rows of equally many 0/1 scores, each a byte, some rows at a time.

        Arrays of all scores are fresh pages of memory at every draw, which cost more than the arithmetic.
        """
        many = int(self.lengths[0])
        rows = max(1, BLOCK // many)
        counts = [
            self._count_hits(self.starts[problems[first : first + rows]], many, generator)
            for first in range(0, len(problems), rows)
        ]
        return float((np.concatenate(counts) / many).mean())

    def _count_hits(self, starts: NDArray[np.int64], many: int, generator: np.random.Generator) -> NDArray[np.uint32]:
        """How many of the generations that are drawn for each of some problems are right."""
        places = (generator.random((len(starts), many)) * many).astype(np.int64)
        places += starts[:, None]
        return np.asarray(self.hits.take(places).sum(axis=1, dtype=np.uint32))

    def _mean_of_any_rows(self, problems: NDArray[np.int64], generator: np.random.Generator) -> float:
        lengths = self.lengths[problems]
        places = np.repeat(self.starts[problems], lengths)
        places += (generator.random(len(places)) * np.repeat(lengths, lengths)).astype(np.int64)
        firsts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
        return float((np.add.reduceat(self.flat[places], firsts) / lengths).mean())


def _percentile_ends(values: Sequence[float], confidence: float) -> tuple[float, float]:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence {confidence} is not between 0 and 1")
    low, high = np.quantile(values, [0.5 - confidence / 2.0, 0.5 + confidence / 2.0])
    return float(low), float(high)

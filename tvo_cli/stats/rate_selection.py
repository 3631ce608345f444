"""Selection of the best learning rate, and the correction for choosing it on the seeds that score it."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

WEIGHT = 0.4  # of the way from the apparent mean to the held-out one: chosen by simulation, docs/results/intervals.md
SPLITS = 126  # ways to cut the seeds in two that are averaged: all of them up to nine seeds, a sample beyond


class RateSelection(NamedTuple):
    """The best of several rates: its index, its mean on all seeds, and what the mean owes to having been chosen."""

    best: NDArray[np.intp]  # index of the rate of the best mean; of equals the first
    apparent: NDArray[np.float64]  # the mean at `best`, chosen and scored on the same seeds
    held_out: NDArray[np.float64]  # chosen on half of the seeds, scored on the others, averaged over halvings
    correction: NDArray[np.float64]  # to take off `apparent`; 0 where there was no choice


def select_rate(scores: ArrayLike) -> RateSelection:
    """The best rate of scores [..., seeds, rates], larger is better, with the optimism of choosing it.

    m_r(S) is the mean of rate r over the seeds S, A all seeds.

        apparent = max_r m_r(A)        held_out = mean over halvings (S, A∖S) of m_{r*(S)}(A∖S), r*(S) = argmax_r m_r(S)

        correction = WEIGHT · min(apparent − held_out, E[max of R standard normals] · sd/√n at the best rate)

    The apparent mean is too high where rates are close; the held-out one too low, since half of the seeds choose
    worse than all. The truth lies between: Efron 1983 (JASA 78:316) weighs the two likewise for the error of a
    classifier, "optimism" is his word. The bound is the optimism of R rates that tie: a half that misses the one
    collapse of a fragile rate chooses it, and what that costs is no optimism of the best one. WEIGHT and bound are
    this project's, by simulation. nan: no score of that seed at that rate. Units: those of the scores.
    """
    found = np.asarray(scores, dtype=np.float64)
    known = np.isfinite(found)
    values, counts = np.where(known, found, 0.0), known.astype(np.float64)
    everywhere = _mean_of_seeds(values.sum(-2), counts.sum(-2))
    best, apparent = everywhere.argmax(-1), everywhere.max(-1)
    seeds, rates = found.shape[-2:]
    if rates < 2 or seeds < 2:
        return RateSelection(best, apparent, apparent, np.zeros_like(apparent))
    held_out = _held_out_mean_of_chosen_rate(values, counts, halvings_of_seeds(seeds))
    lost = np.minimum(
        apparent - held_out, _expected_greatest_normal(rates) * _standard_error_at_best_rate(values, known, best)
    )
    return RateSelection(best, apparent, held_out, np.where(np.isnan(lost), 0.0, WEIGHT * lost))


def _standard_error_at_best_rate(
    values: NDArray[np.float64], known: NDArray[np.bool_], best: NDArray[np.intp]
) -> NDArray[np.float64]:
    """sd/√n of the scores at the best rate; nan below two."""
    at = best[..., None, None]
    here = np.take_along_axis(known, at, -1)[..., 0]
    scores = np.take_along_axis(values, at, -1)[..., 0]
    n = here.sum(-1)
    mean = scores.sum(-1) / np.maximum(n, 1)
    squares = np.where(here, scores - mean[..., None], 0.0) ** 2
    return np.asarray(np.where(n > 1, np.sqrt(squares.sum(-1) / np.maximum((n - 1) * n, 1)), math.nan))


@lru_cache(maxsize=64)
def _expected_greatest_normal(count: int) -> float:
    """E[max of `count` standard normals] = ∫ x · count · φ(x) Φ(x)^(count − 1) dx: 0.564, 0.846, 1.029 for 2, 3, 4."""
    from scipy.special import ndtr

    x = np.linspace(-9.0, 9.0, 4001)
    density = np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
    return float(np.trapezoid(x * count * density * ndtr(x) ** (count - 1), x))


def _held_out_mean_of_chosen_rate(
    values: NDArray[np.float64], counts: NDArray[np.float64], halves: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The mean over the halvings at which both halves have a score; nan without one."""
    train = _mean_of_seeds(halves @ values, halves @ counts)
    pick = train.argmax(-1)[..., None]
    rest = 1.0 - halves
    test = _mean_of_seeds(rest @ values, rest @ counts)
    chosen = np.take_along_axis(test, pick, -1)[..., 0]
    usable = np.isfinite(chosen) & np.isfinite(train.max(-1))
    return _mean_of_seeds(np.where(usable, chosen, 0.0).sum(-1), usable.sum(-1), empty=math.nan)


def _mean_of_seeds(
    sums: NDArray[np.float64], counts: NDArray[np.float64], empty: float = -math.inf
) -> NDArray[np.float64]:
    return np.asarray(np.where(counts > 0, sums / np.maximum(counts, 1), empty))


@lru_cache(maxsize=64)
def halvings_of_seeds(seeds: int) -> NDArray[np.float64]:
    """[halvings, seeds]: 1 where a seed chooses, 0 where it scores; every cut both ways round.

    Beyond SPLITS cuts a sample of them, the same in every process: random orders, each cut in the middle.
    """
    if math.comb(seeds, seeds // 2) <= SPLITS:
        rows = [list(one) for one in combinations(range(seeds), seeds // 2)]
    else:
        generator = np.random.default_rng(seeds)
        rows = [list(generator.permutation(seeds)[: seeds // 2]) for _ in range(SPLITS // 2)]
    halves = np.zeros((len(rows), seeds))
    for row, chosen in zip(halves, rows, strict=True):
        row[chosen] = 1.0
    both_ways = np.concatenate([halves, 1.0 - halves])
    return np.asarray(np.unique(both_ways, axis=0))

"""Least-squares fit of the entropy law R = −a·e^H + b (Cui et al. 2025, arXiv:2505.22617)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class EntropyLawFit(NamedTuple):
    """R = −a·e^H + b as fitted; the ceiling is its value where the entropy is spent, −a + b at H = 0."""

    a: float
    b: float
    rmse: float  # √(Σ residual²/n), in units of the reward
    r2: float  # nan when the reward does not vary
    n: int
    ceiling: float

    def reward(self, entropy: ArrayLike) -> list[float]:
        """The law's reward at each entropy."""
        return [float(x) for x in -self.a * np.exp(np.atleast_1d(np.asarray(entropy, dtype=np.float64))) + self.b]


def fit_entropy_law(entropy: ArrayLike, reward: ArrayLike) -> EntropyLawFit | None:
    """Least squares, linear in (a, b) with the features −e^H and 1.

    entropy: mean token entropy in nats, reward: accuracy at the same steps. Pairs with a nan are left out, n says
    how many remain. None below three pairs, or when the entropy does not vary (a and b are then not determined).
    The authors fit on runs without an entropy intervention, and do not call the law universal. The ceiling lies
    outside the entropies that were seen: where it exceeds the highest possible reward the law does not reach there.
    """
    spent, got = np.asarray(entropy, dtype=np.float64), np.asarray(reward, dtype=np.float64)
    if spent.shape != got.shape:
        raise ValueError(f"{spent.size} entropies and {got.size} rewards")
    known = np.isfinite(spent) & np.isfinite(got)
    x, y = np.exp(spent[known]), got[known]
    if x.size < 3 or np.ptp(x) <= 1e-9 * x.max():
        return None
    centred = x - x.mean()
    a = -float(centred @ (y - y.mean()) / (centred @ centred))
    b = float(y.mean() + a * x.mean())
    squares, total = float(((y - (b - a * x)) ** 2).sum()), float(((y - y.mean()) ** 2).sum())
    r2 = 1.0 - squares / total if np.ptp(y) > 1e-12 * np.abs(y).max() else math.nan
    return EntropyLawFit(a, b, math.sqrt(squares / x.size), r2, int(x.size), b - a)

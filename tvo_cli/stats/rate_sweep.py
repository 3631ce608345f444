"""A score over a sweep of learning rates: its mean over the logarithm of the rate, and its least value."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def area_over_learning_rates(log_lr: ArrayLike, values: ArrayLike) -> float:
    """∫ y d(log η) / (range of log η), by trapezoids: the mean of y over the swept learning rates, in units of y.

    log_lr: logarithms, in any order, each once. One learning rate: its value. A nan among the values (an arm
    without a result there): nan, for the mean over the rest would flatter it.
    """
    grid, heights = np.asarray(log_lr, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if not grid.size or grid.shape != heights.shape or np.unique(grid).size != grid.size:
        raise ValueError("an area needs one value for each of at least one learning rate")
    order = np.argsort(grid)
    if grid.size == 1:
        return float(heights[0])
    return float(np.trapezoid(heights[order], grid[order]) / np.ptp(grid))


def worst_over_learning_rates(values: ArrayLike) -> float:
    """The least of the values; nan if one is nan."""
    heights = np.asarray(values, dtype=np.float64)
    if not heights.size:
        raise ValueError("the worst of no values")
    return float(heights.min())

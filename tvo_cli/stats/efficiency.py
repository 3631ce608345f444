"""Sample efficiency and robustness over the learning rate."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Crossing(NamedTuple):
    """When a curve reached a threshold; not observed: it had not when it was last seen, at x."""

    x: float
    observed: bool


def first_crossing(xs: ArrayLike, ys: ArrayLike, threshold: float) -> Crossing:
    """The first x with y ≥ threshold, as measured: no interpolation, no smoothing; else (last x, False).

    x: rollouts, steps or tokens, rising. A nan in y is no crossing and ends nothing; the run was watched until its
    last finite x. So the answer is late by at most one measurement, and a curve measured often and noisily crosses
    early: compare arms measured alike. `kaplan_meier` takes the censored seeds with the rest. No
    finite x: (nan, False).
    """
    places, values = np.asarray(xs, dtype=np.float64), np.asarray(ys, dtype=np.float64)
    if places.shape != values.shape:
        raise ValueError(f"{places.size} places and {values.size} values")
    known = np.isfinite(places)
    if not known.any():
        return Crossing(math.nan, False)
    reached = np.flatnonzero(known & (values >= threshold))  # a comparison with nan is false
    return Crossing(float(places[reached[0]]), True) if reached.size else Crossing(float(places[known][-1]), False)


def area(log_lr: ArrayLike, values: ArrayLike) -> float:
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


def worst(values: ArrayLike) -> float:
    """The least of the values; nan if one is nan."""
    heights = np.asarray(values, dtype=np.float64)
    if not heights.size:
        raise ValueError("the worst of no values")
    return float(heights.min())

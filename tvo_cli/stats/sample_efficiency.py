"""Sample efficiency: when a curve first reaches a threshold."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class ThresholdCrossing(NamedTuple):
    """When a curve reached a threshold; not observed: it had not when it was last seen, at x."""

    x: float
    observed: bool


def first_threshold_crossing(xs: ArrayLike, ys: ArrayLike, threshold: float) -> ThresholdCrossing:
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
        return ThresholdCrossing(math.nan, False)
    reached = np.flatnonzero(known & (values >= threshold))  # a comparison with nan is false
    return (
        ThresholdCrossing(float(places[reached[0]]), True)
        if reached.size
        else ThresholdCrossing(float(places[known][-1]), False)
    )

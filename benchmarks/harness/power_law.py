"""The exponent of a power law through measured points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Exponent(NamedTuple):
    """b of y = c · x^b, by least squares on the logarithms, with its 95% interval."""

    exponent: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.exponent:.3f} [{self.low:.3f}, {self.high:.3f}]"


def fit(x: Sequence[float], y: Sequence[float]) -> Exponent:
    """The exponent and its 95% interval by Student's t on n − 2 degrees of freedom; needs three points."""
    from scipy.stats import linregress, t

    found = linregress([math.log(v) for v in x], [math.log(v) for v in y])
    reach = float(t.ppf(0.975, len(x) - 2)) * float(found.stderr)
    return Exponent(float(found.slope), float(found.slope) - reach, float(found.slope) + reach)

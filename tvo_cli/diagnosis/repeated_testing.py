"""Thresholds of a repeated test, for a whole run: the more often a rule looks, the further chance takes it."""

from __future__ import annotations

import math


def errors_for_looks(errors: float, looks: float) -> float:
    """Return the standard errors √(z² + 2·ln m) at which m looks together raise as few false alarms as one does at z.

    The tail of the normal law is P(Z > z) ≈ e^(−z²/2)/(z·√(2π)), so that m·e^(−z'²/2) = e^(−z²/2) at this z'; the
    factor 1/z' makes it a little strict (Bonferroni: looks need not be independent). m = 1 gives z.

    Args:
        errors: z, for one look.
        looks: m; below 1 it counts as 1.
    """
    return math.sqrt(errors**2 + 2.0 * math.log(max(looks, 1.0)))

r"""Unions of intervals of real numbers: in order and joined, what two have in common, what one leaves out.

Ends are texts. Rational ends are put in order; where another end would have to be, there is no result.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from tvo_cli.reward.answers import exact_number

LOW, HIGH = "-\\infty", "\\infty"
MOST = 40
Place = tuple[int, Fraction]  # −∞ is (−1, 0), a number x is (0, x), ∞ is (1, 0)


class RealInterval(NamedTuple):
    """Two ends, and whether each belongs to it."""

    low: str
    high: str
    low_closed: bool
    high_closed: bool


class IntervalUnion(NamedTuple):
    """A union of intervals; the variable where it is named."""

    variable: str
    intervals: tuple[RealInterval, ...]


EVERYTHING = RealInterval(LOW, HIGH, False, False)


def _endpoint_order(end: str) -> Place | None:
    if end in (LOW, HIGH):
        return (-1 if end == LOW else 1), Fraction(0)
    value = exact_number.parse_number(end)
    return None if value is None else (0, value)


def _with_ordered_endpoints(intervals: Sequence[RealInterval]) -> list[tuple[Place, Place, RealInterval]] | None:
    """Each with the places of its ends; None where one is unknown or they are in the wrong order."""
    found = []
    for interval in intervals:
        low, high = _endpoint_order(interval.low), _endpoint_order(interval.high)
        if low is None or high is None or high < low:
            return None
        found.append((low, high, interval))
    return found


def have_ordered_endpoints(intervals: Sequence[RealInterval]) -> bool:
    """Whether all ends are rational or infinite, in order."""
    return _with_ordered_endpoints(intervals) is not None


def merge_intervals(intervals: Sequence[RealInterval]) -> Sequence[RealInterval]:
    """In order and joined where they touch, when all ends are rational."""
    placed = _with_ordered_endpoints(intervals)
    if placed is None:
        return intervals
    result: list[tuple[Place, RealInterval]] = []
    for low, high, interval in sorted(placed, key=lambda each: (each[0], not each[2].low_closed)):
        if result and _interval_touches(*result[-1], low, interval):
            result[-1] = _join_intervals(result[-1], (high, interval))
        else:
            result.append((high, interval))
    return [interval for _, interval in result]


def _interval_touches(end: Place, before: RealInterval, start: Place, after: RealInterval) -> bool:
    return start < end or (start == end and (before.high_closed or after.low_closed))


def _join_intervals(
    before: tuple[Place, RealInterval], after: tuple[Place, RealInterval]
) -> tuple[Place, RealInterval]:
    (end, left), (other_end, right) = before, after
    if other_end > end or (other_end == end and right.high_closed):
        return other_end, RealInterval(left.low, right.high, left.low_closed, right.high_closed)
    return before


def intersect_unions(left: Sequence[RealInterval], right: Sequence[RealInterval]) -> tuple[RealInterval, ...] | None:
    """What two unions have in common; None where that is nothing or an end is not rational."""
    ours, theirs = _with_ordered_endpoints(left), _with_ordered_endpoints(right)
    if ours is None or theirs is None or len(ours) * len(theirs) > MOST:
        return None
    met = [_intersect_intervals(one, other) for one in ours for other in theirs]
    return tuple(interval for interval in met if interval is not None) or None


def _intersect_intervals(
    one: tuple[Place, Place, RealInterval], other: tuple[Place, Place, RealInterval]
) -> RealInterval | None:
    low, open_low, left = max((each[0], not each[2].low_closed, each[2]) for each in (one, other))
    high, closed_high, right = min((each[1], each[2].high_closed, each[2]) for each in (one, other))
    if low > high or (low == high and (open_low or not closed_high)):
        return None
    return RealInterval(left.low, right.high, left.low_closed, right.high_closed)


def complement_of_intervals(intervals: Sequence[RealInterval]) -> tuple[RealInterval, ...] | None:
    """The real numbers in none of them; None where that is nothing, or several have ends that are not rational."""
    if len(intervals) > 1 and _with_ordered_endpoints(intervals) is None:
        return None
    left, start, closed = [], LOW, False
    for interval in merge_intervals(intervals):
        if interval.low != LOW:
            left.append(RealInterval(start, interval.low, closed, not interval.low_closed))
        start, closed = interval.high, not interval.high_closed
    if start != HIGH:
        left.append(RealInterval(start, HIGH, closed, False))
    return tuple(left) or None

r"""Unions of intervals of real numbers: in order and joined, what two have in common, what one leaves out.

Ends are texts. Rational ends are put in order; where another end would have to be, there is no result.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from tvo_cli.reward.answers import number

LOW, HIGH = "-\\infty", "\\infty"
MOST = 40
Place = tuple[int, Fraction]  # −∞ is (−1, 0), a number x is (0, x), ∞ is (1, 0)


class Interval(NamedTuple):
    """Two ends, and whether each belongs to it."""

    low: str
    high: str
    low_closed: bool
    high_closed: bool


EVERYTHING = Interval(LOW, HIGH, False, False)


def _place(end: str) -> Place | None:
    if end in (LOW, HIGH):
        return (-1 if end == LOW else 1), Fraction(0)
    value = number.value(end)
    return None if value is None else (0, value)


def _placed(intervals: Sequence[Interval]) -> list[tuple[Place, Place, Interval]] | None:
    """Each with the places of its ends; None where one is unknown or they are in the wrong order."""
    found = []
    for interval in intervals:
        low, high = _place(interval.low), _place(interval.high)
        if low is None or high is None or high < low:
            return None
        found.append((low, high, interval))
    return found


def are_placed(intervals: Sequence[Interval]) -> bool:
    """Whether all ends are rational or infinite, in order."""
    return _placed(intervals) is not None


def simplified(intervals: Sequence[Interval]) -> Sequence[Interval]:
    """In order and joined where they touch, when all ends are rational."""
    placed = _placed(intervals)
    if placed is None:
        return intervals
    result: list[tuple[Place, Interval]] = []
    for low, high, interval in sorted(placed, key=lambda each: (each[0], not each[2].low_closed)):
        if result and _touches(*result[-1], low, interval):
            result[-1] = _joined(result[-1], (high, interval))
        else:
            result.append((high, interval))
    return [interval for _, interval in result]


def _touches(end: Place, before: Interval, start: Place, after: Interval) -> bool:
    return start < end or (start == end and (before.high_closed or after.low_closed))


def _joined(before: tuple[Place, Interval], after: tuple[Place, Interval]) -> tuple[Place, Interval]:
    (end, left), (other_end, right) = before, after
    if other_end > end or (other_end == end and right.high_closed):
        return other_end, Interval(left.low, right.high, left.low_closed, right.high_closed)
    return before


def common(left: Sequence[Interval], right: Sequence[Interval]) -> tuple[Interval, ...] | None:
    """What two unions have in common; None where that is nothing or an end is not rational."""
    ours, theirs = _placed(left), _placed(right)
    if ours is None or theirs is None or len(ours) * len(theirs) > MOST:
        return None
    met = [_met(one, other) for one in ours for other in theirs]
    return tuple(interval for interval in met if interval is not None) or None


def _met(one: tuple[Place, Place, Interval], other: tuple[Place, Place, Interval]) -> Interval | None:
    low, open_low, left = max((each[0], not each[2].low_closed, each[2]) for each in (one, other))
    high, closed_high, right = min((each[1], each[2].high_closed, each[2]) for each in (one, other))
    if low > high or (low == high and (open_low or not closed_high)):
        return None
    return Interval(left.low, right.high, left.low_closed, right.high_closed)


def complement(intervals: Sequence[Interval]) -> tuple[Interval, ...] | None:
    """The real numbers in none of them; None where that is nothing, or several have ends that are not rational."""
    if len(intervals) > 1 and _placed(intervals) is None:
        return None
    left, start, closed = [], LOW, False
    for interval in simplified(intervals):
        if interval.low != LOW:
            left.append(Interval(start, interval.low, closed, not interval.low_closed))
        start, closed = interval.high, not interval.high_closed
    if start != HIGH:
        left.append(Interval(start, HIGH, closed, False))
    return tuple(left) or None

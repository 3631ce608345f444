r"""Sets of real numbers: intervals and unions, inequalities joined by "and" or "or", {x | x > 2}, ℝ \ {2}, x ≠ 2.

All are read as intervals. Ends that are rational are put in order and joined; others are compared one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from tvo_cli.reward.answers import number
from tvo_cli.reward.answers.structure import NAME, RELATION, bracketed, divided, split

Same = Callable[[str, str], bool]
REALS = "\\mathbb{R}"
ALL = re.compile(r"\\mathbb\{R\}|\(-\\infty,\\infty\)|\\text\{(?:the )?(?:set of )?(?:all |any )?real(?: number)?s?\}")
LOW, HIGH = "-\\infty", "\\infty"
WITHOUT = re.compile(r"(?:\\mathbb\{R\})(?:\\setminus|-|/)\s*\\\{(.+)\\\}")
EXCEPT = re.compile(r"(?:\\text\{(?:all )?real(?: number)?s?,? (?:except|other than|except for|but)\})(?:x=)?(.+)")
BUILDER = re.compile(r"\\\{(.+?)(?:\\mid(?![a-zA-Z])|\||:|\\text\{(?:such that|where)\})(.+)\\\}", re.DOTALL)
MEMBER = re.compile(rf"({NAME})\\in(?![a-zA-Z])\s*(.+)", re.DOTALL)
SIGNS = re.compile(r"(<|>|=|\\(?:le|ge|ne)(?![a-zA-Z]))\s*")
FLIPPED = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le", "\\ne": "\\ne", "=": "="}
CONSTANT = re.compile(r"\\(?:frac|sqrt|pi|infty|ln|log|cdot|times|text)(?![a-zA-Z])|(?<![A-Za-z])e(?![A-Za-z])")
SETS = re.compile(r"\\(?:cup|mathbb|in|mid|setminus)(?![a-zA-Z])|\\infty|<|>|\\(?:le|ge|ne)(?![a-zA-Z])|:|\|")
DEPTH = 6


class Interval(NamedTuple):
    """Two ends, and whether each belongs to it."""

    low: str
    high: str
    low_closed: bool
    high_closed: bool


class Reals(NamedTuple):
    """A union of intervals; the variable where it is named."""

    variable: str
    intervals: tuple[Interval, ...]


EVERYTHING = Interval(LOW, HIGH, False, False)


def is_sure(text: str) -> bool:
    """Whether what is read can be nothing but a set of reals: (1,2) may be a point."""
    around = bracketed(text)
    mixed = around is not None and {around.opening, around.closing} in ({"(", "]"}, {"[", ")"})
    return (
        mixed or SETS.search(text) is not None or ALL.fullmatch(text) is not None or EXCEPT.fullmatch(text) is not None
    )


def read(text: str, depth: int = 0) -> Reals | None:
    """The set of a canonical text; None for anything else."""
    if depth > DEPTH:
        return None
    if ALL.fullmatch(text):
        return Reals("", (EVERYTHING,))
    found = MEMBER.fullmatch(text)
    if found is not None:
        inner = read(found[2], depth + 1)
        if inner is not None:
            return Reals(found[1].strip(), inner.intervals)
    return _without(text) or _builder(text, depth) or _union(text, depth) or _interval(text) or _condition(text, depth)


def _without(text: str) -> Reals | None:
    found = WITHOUT.fullmatch(text) or EXCEPT.fullmatch(text)
    return found and _complement(divided(found[1]).parts)


def _complement(points: Sequence[str]) -> Reals | None:
    """ℝ without some points, which must be in a known order."""
    if not all(map(_is_constant, points)):
        return None
    if len(points) > 1:
        values = [number.value(point) for point in points]
        if any(value is None for value in values):
            return None
        points = [point for _, point in sorted(zip(values, points, strict=True), key=lambda pair: pair[0] or 0)]
    ends = [LOW, *points, HIGH]
    return Reals("", tuple(Interval(low, high, False, False) for low, high in pairwise(ends)))


def _builder(text: str, depth: int) -> Reals | None:
    found = BUILDER.fullmatch(text)
    if found is None:
        return None
    variable = re.split(r"\\in(?![a-zA-Z])", found[1])
    if len(variable) > 1 and variable[1].strip() != REALS:
        return None
    inner = _condition(found[2].strip(), depth)
    return inner if inner and inner.variable == variable[0].strip() else None


def _union(text: str, depth: int) -> Reals | None:
    members = split(text, r"\\cup(?![a-zA-Z])")
    if len(members) < 2:
        return None
    return _together("", [_member(member, depth) for member in members])


def _member(text: str, depth: int) -> Reals | None:
    around = bracketed(text)
    if around is not None and around.opening == "\\{" and around.parts and all(map(_is_constant, around.parts)):
        return Reals("", tuple(Interval(part, part, True, True) for part in around.parts))
    return read(text, depth + 1)


def _together(variable: str, members: Sequence[Reals | None]) -> Reals | None:
    if any(member is None for member in members):
        return None
    return Reals(variable, tuple(interval for member in members if member for interval in member.intervals))


def _interval(text: str) -> Reals | None:
    around = bracketed(text)
    if around is None or len(around.parts) != 2 or around.opening not in "([" or around.closing not in ")]":
        return None
    low, high = around.parts
    if not all(map(_is_constant, around.parts)):
        return None
    return Reals("", (Interval(low, high, around.opening == "[", around.closing == "]"),))


def _condition(text: str, depth: int) -> Reals | None:
    """Inequalities joined by "or" are a union, by "and" an intersection."""
    parts, joins = divided(text)
    if len(parts) < 2:
        return _relation(text)
    holes = _holes(parts) if joins <= {",", "and"} else None
    if holes is not None:
        return holes
    members = [_relation(part) or (read(part, depth + 1) if "\\in" in part else None) for part in parts]
    names = {member.variable for member in members if member}
    if len(joins) != 1 or len(names) != 1:
        return None
    if joins == {"or"}:
        return _together(names.pop(), members)
    return _common(names.pop(), members) if joins == {"and"} else None


def _holes(parts: Sequence[str]) -> Reals | None:
    """x ≠ 1, 2 and x ≠ 1, x ≠ 2."""
    found = [re.fullmatch(rf"(?:({NAME})\\ne(?![a-zA-Z])\s*)?(.+)", part) for part in parts]
    names = [each[1].strip() if each and each[1] else "" for each in found]
    if not names[0] or {*names} - {names[0], ""}:
        return None
    whole = _complement([each[2] for each in found if each])
    return whole and Reals(names[0], whole.intervals)


def _common(variable: str, members: Sequence[Reals | None]) -> Reals | None:
    """What two half-lines of opposite direction have in common."""
    if len(members) != 2 or any(member is None or len(member.intervals) != 1 for member in members):
        return None
    rays = sorted((member.intervals[0] for member in members if member), key=lambda ray: ray.low == LOW)
    if rays[0].high != HIGH or rays[1].low != LOW or rays[0].low == LOW:
        return None
    return Reals(variable, (Interval(rays[0].low, rays[1].high, rays[0].low_closed, rays[1].high_closed),))


def _relation(text: str) -> Reals | None:
    """x < a, a ≤ x < b, x ≠ a; the ends are constants and x a name."""
    pieces = SIGNS.split(text)
    sides, signs = [piece.strip() for piece in pieces[::2]], pieces[1::2]
    if len(sides) == 3 and _is_constant(sides[0]) and _is_constant(sides[2]):
        return _between(sides, signs)
    if len(sides) != 2:
        return None
    if _is_constant(sides[0]):
        sides, signs = sides[::-1], [FLIPPED[signs[0]]]
    if not (re.fullmatch(NAME, sides[0]) and _is_constant(sides[1])) or "\\text" in sides[0]:
        return None
    return Reals(sides[0].replace(" ", ""), _rays(signs[0], sides[1]))


def _rays(sign: str, end: str) -> tuple[Interval, ...]:
    if sign == "\\ne":
        return Interval(LOW, end, False, False), Interval(end, HIGH, False, False)
    if sign == "=":
        return (Interval(end, end, True, True),)
    closed = sign in ("\\le", "\\ge")
    return (Interval(LOW, end, False, closed) if sign in ("<", "\\le") else Interval(end, HIGH, closed, False),)


def _between(sides: Sequence[str], signs: Sequence[str]) -> Reals | None:
    low, middle, high = sides
    if {*signs} <= {">", "\\ge"}:
        low, high, signs = high, low, [FLIPPED[sign] for sign in signs[::-1]]
    if not {*signs} <= {"<", "\\le"} or not re.fullmatch(NAME, middle) or "\\text" in middle:
        return None
    return Reals(middle.replace(" ", ""), (Interval(low, high, signs[0] == "\\le", signs[1] == "\\le"),))


def _is_constant(text: str) -> bool:
    """No letters: a number, a root, π, e, ∞."""
    return bool(text) and not re.search(r"[A-Za-z<>=,;:]", CONSTANT.sub("", text)) and "text" not in text


def same(gold: Reals, answer: Reals, equal: Same) -> bool:
    """The same intervals, in any order; two names must be one."""
    if gold.variable and answer.variable and gold.variable != answer.variable:
        return False
    left, right = list(_simplified(gold.intervals)), list(_simplified(answer.intervals))
    return len(left) == len(right) and all(_paired(interval, right, equal) for interval in left)


def _paired(interval: Interval, others: list[Interval], equal: Same) -> bool:
    for other in others:
        if other[2:] == interval[2:] and _same_end(interval.low, other.low, equal):
            if not _same_end(interval.high, other.high, equal):
                continue
            others.remove(other)
            return True
    return False


def _same_end(gold: str, answer: str, equal: Same) -> bool:
    if gold == answer or "\\infty" in gold + answer:
        return gold == answer
    return equal(gold, answer)


def _simplified(intervals: Sequence[Interval]) -> Sequence[Interval]:
    """In order and joined where they touch, when all ends are rational."""
    keyed = [(_key(interval.low), _key(interval.high), interval) for interval in intervals]
    if any(low is None or high is None or high < low for low, high, _ in keyed):
        return intervals
    ordered = sorted(keyed, key=lambda each: (each[0] or (0, 0), not each[2].low_closed))
    result: list[tuple[tuple[int, Fraction], Interval]] = []
    for low, high, interval in ordered:
        if result and _touches(result[-1][0], result[-1][1], low or (0, Fraction(0)), interval):
            result[-1] = _joined(result[-1], (high or (0, Fraction(0)), interval))
        else:
            result.append((high or (0, Fraction(0)), interval))
    return [interval for _, interval in result]


def _key(end: str) -> tuple[int, Fraction] | None:
    if end in (LOW, HIGH):
        return (-1 if end == LOW else 1), Fraction(0)
    value = number.value(end)
    return None if value is None else (0, value)


def _touches(end: tuple[int, Fraction], before: Interval, start: tuple[int, Fraction], after: Interval) -> bool:
    return start < end or (start == end and (before.high_closed or after.low_closed))


def _joined(
    before: tuple[tuple[int, Fraction], Interval], after: tuple[tuple[int, Fraction], Interval]
) -> tuple[tuple[int, Fraction], Interval]:
    (end, left), (other_end, right) = before, after
    if other_end > end or (other_end == end and right.high_closed):
        return other_end, Interval(left.low, right.high, left.low_closed, right.high_closed)
    return before


def is_relation(text: str) -> bool:
    """Whether a text states an inequality."""
    return RELATION.search(text) is not None

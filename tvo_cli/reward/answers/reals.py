r"""Sets of real numbers: intervals and unions, inequalities joined by "and" or "or", {x | x > 2}, ℝ \ {2}, x ≠ 2.

All are read as intervals. Ends that are rational are put in order and joined; others are compared one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from tvo_cli.reward.answers import number
from tvo_cli.reward.answers.intervals import EVERYTHING, HIGH, LOW, Interval, are_placed, common, complement, simplified
from tvo_cli.reward.answers.structure import NAME, RELATION, bracketed, divided, split

Same = Callable[[str, str], bool]
REALS = "\\mathbb{R}"
ALL = re.compile(r"\\mathbb\{R\}|\(-\\infty,\\infty\)|\\text\{(?:the )?(?:set of )?(?:all |any )?real(?: number)?s?\}")
WITHOUT = re.compile(r"(?:\\mathbb\{R\})(?:\\setminus|-|/)\s*\\\{(.+)\\\}")
EXCEPT = re.compile(r"(?:\\text\{(?:all )?real(?: number)?s?,? (?:except|other than|except for|but)\})(?:x=)?(.+)")
BUILDER = re.compile(r"\\\{(.+?)(?:\\mid(?![a-zA-Z])|\||:|\\text\{(?:such that|where)\})(.+)\\\}", re.DOTALL)
MEMBER = re.compile(rf"({NAME})\\in(?![a-zA-Z])\s*(.+)", re.DOTALL)
SIGNS = re.compile(r"(<|>|=|\\(?:le|ge|ne)(?![a-zA-Z]))\s*")
FLIPPED = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le", "\\ne": "\\ne", "=": "="}
CONSTANT = re.compile(r"\\(?:frac|sqrt|pi|infty|ln|log|cdot|times|text)(?![a-zA-Z])|(?<![A-Za-z])e(?![A-Za-z])")
SETS = re.compile(r"\\(?:cup|mathbb|in|mid|setminus)(?![a-zA-Z])|\\infty|<|>|\\(?:le|ge|ne)(?![a-zA-Z])|:|\|")
DEPTH = 6
NUMBER_SET = re.compile(r"\\mathbb\{[A-Z]\}")
ABSOLUTE = re.compile(rf"\|({NAME})\|")
IN_REALS = re.compile(rf"{NAME}\\in(?![a-zA-Z])\s*\\mathbb\{{R\}}")
PARTS_OF_REALS = {
    **dict.fromkeys((rf"{REALS}^{{+}}", rf"{REALS}_{{>0}}"), Interval("0", HIGH, False, False)),
    **dict.fromkeys((rf"{REALS}^{{-}}", rf"{REALS}_{{<0}}"), Interval(LOW, "0", False, False)),
    rf"{REALS}_{{\ge0}}": Interval("0", HIGH, True, False),
    rf"{REALS}_{{\le0}}": Interval(LOW, "0", False, True),
}


class Reals(NamedTuple):
    """A union of intervals; the variable where it is named."""

    variable: str
    intervals: tuple[Interval, ...]


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
    if ALL.fullmatch(text) or text in PARTS_OF_REALS:
        return Reals("", (PARTS_OF_REALS.get(text, EVERYTHING),))
    found = MEMBER.fullmatch(text)
    if found is not None:
        inner = read(found[2], depth + 1)
        if inner is not None:
            return Reals(found[1].strip(), inner.intervals)
    for reader in (_builder, _union, _intersection, _difference):
        inner = reader(text, depth)
        if inner is not None:
            return inner
    return _without(text) or _points(text) or _interval(text) or _condition(text, depth)


def _without(text: str) -> Reals | None:
    found = WITHOUT.fullmatch(text) or EXCEPT.fullmatch(text)
    return _complement(divided(found[1]).parts) if found else None


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
    return _together("", [read(member, depth + 1) for member in members])


def _intersection(text: str, depth: int) -> Reals | None:
    members = split(text, r"\\cap(?![a-zA-Z])")
    if len(members) != 2:
        return None
    return _common("", [read(member, depth + 1) for member in members])


def _difference(text: str, depth: int) -> Reals | None:
    """What is in the first and not in the second set."""
    pieces = split(text, r"\\setminus(?![a-zA-Z])")
    if len(pieces) != 2:
        return None
    whole, taken = (read(piece, depth + 1) for piece in pieces)
    rest = taken and complement(taken.intervals)
    if whole is None or not rest:
        return None
    left = rest if whole.intervals == (EVERYTHING,) else common(whole.intervals, rest)
    return Reals("", left) if left else None


def _points(text: str) -> Reals | None:
    """Finitely many constants."""
    around = bracketed(text)
    if around is None or around.opening != "\\{" or not around.parts or not all(map(_is_constant, around.parts)):
        return None
    return Reals("", tuple(Interval(part, part, True, True) for part in around.parts))


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
    limits = [part for part in parts if not IN_REALS.fullmatch(part)]
    if len(limits) < 2:
        read_one = _holes if limits and "\\ne" in limits[0] and "\\pm" in limits[0] else _one
        return read_one(limits) if limits and joins <= {",", "and"} else None
    holes = _holes(limits) if joins <= {",", "and"} else None
    if holes is not None:
        return holes
    if joins == {","} and any("\\ne" in part for part in limits):
        joins = frozenset(("and",))  # x > 3, x ≠ 5
    members = [_limit(part, depth, joins) for part in limits]
    names = {member.variable for member in members if member}
    if len(joins) != 1 or len(names) != 1:
        return None
    if joins == {"or"}:
        return _together(names.pop(), members)
    return _common(names.pop(), members) if joins == {"and"} else None


def _one(limits: Sequence[str]) -> Reals | None:
    return _relation(limits[0])


def _limit(text: str, depth: int, joins: frozenset[str]) -> Reals | None:
    """One of several conditions: an inequality, a membership; an interval where they are joined by "or"."""
    found = _relation(text)
    if found is None and "\\in" in text:
        found = read(text, depth + 1)
    return _interval(text) if found is None and joins == {"or"} else found


def _holes(parts: Sequence[str]) -> Reals | None:
    """x ≠ 1, 2 and x ≠ 1, x ≠ 2."""
    found = [re.fullmatch(rf"(?:({NAME})\\ne(?![a-zA-Z])\s*)?(.+)", part) for part in parts]
    names = [each[1].strip() if each and each[1] else "" for each in found]
    if not names[0] or {*names} - {names[0], ""}:
        return None
    points = [each[2] for each in found if each]
    whole = _complement([sign + point.removeprefix("\\pm").lstrip() for point in points for sign in _signs(point)])
    return whole and Reals(names[0], whole.intervals)


def _signs(point: str) -> tuple[str, ...]:
    return ("", "-") if point.startswith("\\pm") else ("",)


def _common(variable: str, members: Sequence[Reals | None]) -> Reals | None:
    """What two unions, or two half-lines of opposite direction, have in common."""
    if len(members) != 2 or any(member is None for member in members):
        return None
    left, right = (member.intervals for member in members if member)
    met = common(left, right)
    if met is not None or len(left) != 1 or len(right) != 1 or are_placed((*left, *right)):
        return Reals(variable, met) if met else None
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
    absolute = ABSOLUTE.fullmatch(sides[0])
    if absolute is not None and _is_constant(sides[1]):
        return _by_size(absolute[1], signs[0], sides[1])
    if _is_constant(sides[0]):
        sides, signs = sides[::-1], [FLIPPED[signs[0]]]
    if not (re.fullmatch(NAME, sides[0]) and _is_constant(sides[1])) or "\\text" in sides[0]:
        return None
    return Reals(sides[0].replace(" ", ""), _rays(signs[0], sides[1]))


def _by_size(variable: str, sign: str, size: str) -> Reals | None:
    """|x| < a is −a < x < a, |x| > a two half-lines; a is a positive number."""
    value, closed = number.value(size), sign in ("\\le", "\\ge")
    if value is None or value <= 0 or sign in ("=", "\\ne"):
        return None
    if sign in ("<", "\\le"):
        return Reals(variable, (Interval(f"-{size}", size, closed, closed),))
    return Reals(variable, (Interval(LOW, f"-{size}", False, closed), Interval(size, HIGH, closed, False)))


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
    left, right = list(simplified(gold.intervals)), list(simplified(answer.intervals))
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


def is_relation(text: str) -> bool:
    """Whether a text states an inequality."""
    return RELATION.search(text) is not None

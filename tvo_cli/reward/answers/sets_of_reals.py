r"""Sets of real numbers: intervals and unions, inequalities joined by "and" or "or", {x | x > 2}, ℝ \ {2}, x ≠ 2.

All are read as intervals. Ends that are rational are put in order and joined; others are compared one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from tvo_cli.reward.answers import exact_number
from tvo_cli.reward.answers.answer_structure import (
    NAME,
    read_brackets,
    split_at_joins,
    split_outside_brackets,
)
from tvo_cli.reward.answers.exact_number import is_constant_expression
from tvo_cli.reward.answers.inequalities import read_inequality
from tvo_cli.reward.answers.interval_algebra import (
    EVERYTHING,
    HIGH,
    LOW,
    IntervalUnion,
    RealInterval,
    complement_of_intervals,
    have_ordered_endpoints,
    intersect_unions,
    merge_intervals,
)

Same = Callable[[str, str], bool]
REALS = "\\mathbb{R}"
ALL = re.compile(r"\\mathbb\{R\}|\(-\\infty,\\infty\)|\\text\{(?:the )?(?:set of )?(?:all |any )?real(?: number)?s?\}")
WITHOUT = re.compile(r"(?:\\mathbb\{R\})(?:\\setminus|-|/)\s*\\\{(.+)\\\}")
EXCEPT = re.compile(r"(?:\\text\{(?:all )?real(?: number)?s?,? (?:except|other than|except for|but)\})(?:x=)?(.+)")
BUILDER = re.compile(r"\\\{(.+?)(?:\\mid(?![a-zA-Z])|\||:|\\text\{(?:such that|where)\})(.+)\\\}", re.DOTALL)
MEMBER = re.compile(rf"({NAME})\\in(?![a-zA-Z])\s*(.+)", re.DOTALL)
SETS = re.compile(r"\\(?:cup|mathbb|in|mid|setminus)(?![a-zA-Z])|\\infty|<|>|\\(?:le|ge|ne)(?![a-zA-Z])|:|\|")
DEPTH = 6
NUMBER_SET = re.compile(r"\\mathbb\{[A-Z]\}")
IN_REALS = re.compile(rf"{NAME}\\in(?![a-zA-Z])\s*\\mathbb\{{R\}}")
PARTS_OF_REALS = {
    **dict.fromkeys((rf"{REALS}^{{+}}", rf"{REALS}_{{>0}}"), RealInterval("0", HIGH, False, False)),
    **dict.fromkeys((rf"{REALS}^{{-}}", rf"{REALS}_{{<0}}"), RealInterval(LOW, "0", False, False)),
    rf"{REALS}_{{\ge0}}": RealInterval("0", HIGH, True, False),
    rf"{REALS}_{{\le0}}": RealInterval(LOW, "0", False, True),
}


def is_surely_real_set(text: str) -> bool:
    """Whether what is read can be nothing but a set of reals: (1,2) may be a point."""
    around = read_brackets(text)
    mixed = around is not None and {around.opening, around.closing} in ({"(", "]"}, {"[", ")"})
    return (
        mixed or SETS.search(text) is not None or ALL.fullmatch(text) is not None or EXCEPT.fullmatch(text) is not None
    )


def read_real_set(text: str, depth: int = 0) -> IntervalUnion | None:
    """The set of a canonical text; None for anything else."""
    if depth > DEPTH:
        return None
    if ALL.fullmatch(text) or text in PARTS_OF_REALS:
        return IntervalUnion("", (PARTS_OF_REALS.get(text, EVERYTHING),))
    found = MEMBER.fullmatch(text)
    if found is not None:
        inner = read_real_set(found[2], depth + 1)
        if inner is not None:
            return IntervalUnion(found[1].strip(), inner.intervals)
    for reader in (_read_set_builder, _read_union, _read_intersection, _read_set_difference):
        inner = reader(text, depth)
        if inner is not None:
            return inner
    return (
        _read_reals_without_points(text)
        or _read_finite_set(text)
        or _read_interval(text)
        or _read_set_of_inequalities(text, depth)
    )


def _read_reals_without_points(text: str) -> IntervalUnion | None:
    found = WITHOUT.fullmatch(text) or EXCEPT.fullmatch(text)
    return _reals_without_points(split_at_joins(found[1]).parts) if found else None


def _reals_without_points(points: Sequence[str]) -> IntervalUnion | None:
    """ℝ without some points, which must be in a known order."""
    if not all(map(is_constant_expression, points)):
        return None
    if len(points) > 1:
        values = [exact_number.parse_number(point) for point in points]
        if any(value is None for value in values):
            return None
        points = [point for _, point in sorted(zip(values, points, strict=True), key=lambda pair: pair[0] or 0)]
    ends = [LOW, *points, HIGH]
    return IntervalUnion("", tuple(RealInterval(low, high, False, False) for low, high in pairwise(ends)))


def _read_set_builder(text: str, depth: int) -> IntervalUnion | None:
    found = BUILDER.fullmatch(text)
    if found is None:
        return None
    variable = re.split(r"\\in(?![a-zA-Z])", found[1])
    if len(variable) > 1 and variable[1].strip() != REALS:
        return None
    inner = _read_set_of_inequalities(found[2].strip(), depth)
    return inner if inner and inner.variable == variable[0].strip() else None


def _read_union(text: str, depth: int) -> IntervalUnion | None:
    members = split_outside_brackets(text, r"\\cup(?![a-zA-Z])")
    if len(members) < 2:
        return None
    return _union_of_sets("", [read_real_set(member, depth + 1) for member in members])


def _read_intersection(text: str, depth: int) -> IntervalUnion | None:
    members = split_outside_brackets(text, r"\\cap(?![a-zA-Z])")
    if len(members) != 2:
        return None
    return _intersection_of_sets("", [read_real_set(member, depth + 1) for member in members])


def _read_set_difference(text: str, depth: int) -> IntervalUnion | None:
    """What is in the first and not in the second set."""
    pieces = split_outside_brackets(text, r"\\setminus(?![a-zA-Z])")
    if len(pieces) != 2:
        return None
    whole, taken = (read_real_set(piece, depth + 1) for piece in pieces)
    rest = taken and complement_of_intervals(taken.intervals)
    if whole is None or not rest:
        return None
    left = rest if whole.intervals == (EVERYTHING,) else intersect_unions(whole.intervals, rest)
    return IntervalUnion("", left) if left else None


def _read_finite_set(text: str) -> IntervalUnion | None:
    """Finitely many constants."""
    around = read_brackets(text)
    if (
        around is None
        or around.opening != "\\{"
        or not around.parts
        or not all(map(is_constant_expression, around.parts))
    ):
        return None
    return IntervalUnion("", tuple(RealInterval(part, part, True, True) for part in around.parts))


def _union_of_sets(variable: str, members: Sequence[IntervalUnion | None]) -> IntervalUnion | None:
    if any(member is None for member in members):
        return None
    return IntervalUnion(variable, tuple(interval for member in members if member for interval in member.intervals))


def _read_interval(text: str) -> IntervalUnion | None:
    around = read_brackets(text)
    if around is None or len(around.parts) != 2 or around.opening not in "([" or around.closing not in ")]":
        return None
    low, high = around.parts
    if not all(map(is_constant_expression, around.parts)):
        return None
    return IntervalUnion("", (RealInterval(low, high, around.opening == "[", around.closing == "]"),))


def _read_set_of_inequalities(text: str, depth: int) -> IntervalUnion | None:
    """Inequalities joined by "or" are a union, by "and" an intersection."""
    parts, joins = split_at_joins(text)
    limits = [part for part in parts if not IN_REALS.fullmatch(part)]
    if len(limits) < 2:
        read_one = (
            _read_excluded_points
            if limits and "\\ne" in limits[0] and "\\pm" in limits[0]
            else _read_set_of_single_inequality
        )
        return read_one(limits) if limits and joins <= {",", "and"} else None
    holes = _read_excluded_points(limits) if joins <= {",", "and"} else None
    if holes is not None:
        return holes
    if joins == {","} and any("\\ne" in part for part in limits):
        joins = frozenset(("and",))  # x > 3, x ≠ 5
    members = [_read_one_condition(part, depth, joins) for part in limits]
    names = {member.variable for member in members if member}
    if len(joins) != 1 or len(names) != 1:
        return None
    if joins == {"or"}:
        return _union_of_sets(names.pop(), members)
    return _intersection_of_sets(names.pop(), members) if joins == {"and"} else None


def _read_set_of_single_inequality(limits: Sequence[str]) -> IntervalUnion | None:
    return read_inequality(limits[0])


def _read_one_condition(text: str, depth: int, joins: frozenset[str]) -> IntervalUnion | None:
    """One of several conditions: an inequality, a membership; an interval where they are joined by "or"."""
    found = read_inequality(text)
    if found is None and "\\in" in text:
        found = read_real_set(text, depth + 1)
    return _read_interval(text) if found is None and joins == {"or"} else found


def _read_excluded_points(parts: Sequence[str]) -> IntervalUnion | None:
    """x ≠ 1, 2 and x ≠ 1, x ≠ 2."""
    found = [re.fullmatch(rf"(?:({NAME})\\ne(?![a-zA-Z])\s*)?(.+)", part) for part in parts]
    names = [each[1].strip() if each and each[1] else "" for each in found]
    if not names[0] or {*names} - {names[0], ""}:
        return None
    points = [each[2] for each in found if each]
    whole = _reals_without_points(
        [sign + point.removeprefix("\\pm").lstrip() for point in points for sign in _signs_of_set_member(point)]
    )
    return whole and IntervalUnion(names[0], whole.intervals)


def _signs_of_set_member(point: str) -> tuple[str, ...]:
    return ("", "-") if point.startswith("\\pm") else ("",)


def _intersection_of_sets(variable: str, members: Sequence[IntervalUnion | None]) -> IntervalUnion | None:
    """What two unions, or two half-lines of opposite direction, have in common."""
    if len(members) != 2 or any(member is None for member in members):
        return None
    left, right = (member.intervals for member in members if member)
    met = intersect_unions(left, right)
    if met is not None or len(left) != 1 or len(right) != 1 or have_ordered_endpoints((*left, *right)):
        return IntervalUnion(variable, met) if met else None
    rays = sorted((member.intervals[0] for member in members if member), key=lambda ray: ray.low == LOW)
    if rays[0].high != HIGH or rays[1].low != LOW or rays[0].low == LOW:
        return None
    return IntervalUnion(variable, (RealInterval(rays[0].low, rays[1].high, rays[0].low_closed, rays[1].high_closed),))


def same_real_set(gold: IntervalUnion, answer: IntervalUnion, equal: Same) -> bool:
    """The same intervals, in any order; two names must be one."""
    if gold.variable and answer.variable and gold.variable != answer.variable:
        return False
    left, right = list(merge_intervals(gold.intervals)), list(merge_intervals(answer.intervals))
    return len(left) == len(right) and all(_set_has_equal_interval(interval, right, equal) for interval in left)


def _set_has_equal_interval(interval: RealInterval, others: list[RealInterval], equal: Same) -> bool:
    for other in others:
        if other[2:] == interval[2:] and _same_interval_endpoint(interval.low, other.low, equal):
            if not _same_interval_endpoint(interval.high, other.high, equal):
                continue
            others.remove(other)
            return True
    return False


def _same_interval_endpoint(gold: str, answer: str, equal: Same) -> bool:
    if gold == answer or "\\infty" in gold + answer:
        return gold == answer
    return equal(gold, answer)

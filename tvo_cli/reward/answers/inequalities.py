"""One inequality in one variable, read as a set of real numbers: x < 2, 1 ≤ x < 3, |x| > 4, x ≠ 5."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tvo_cli.reward.answers import exact_number
from tvo_cli.reward.answers.answer_structure import (
    NAME,
    RELATION,
)
from tvo_cli.reward.answers.exact_number import is_constant_expression
from tvo_cli.reward.answers.interval_algebra import (
    HIGH,
    LOW,
    IntervalUnion,
    RealInterval,
)

SIGNS = re.compile(r"(<|>|=|\\(?:le|ge|ne)(?![a-zA-Z]))\s*")
FLIPPED = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le", "\\ne": "\\ne", "=": "="}
ABSOLUTE = re.compile(rf"\|({NAME})\|")


def read_inequality(text: str) -> IntervalUnion | None:
    """x < a, a ≤ x < b, x ≠ a; the ends are constants and x a name."""
    pieces = SIGNS.split(text)
    sides, signs = [piece.strip() for piece in pieces[::2]], pieces[1::2]
    if len(sides) == 3 and is_constant_expression(sides[0]) and is_constant_expression(sides[2]):
        return _read_double_inequality(sides, signs)
    if len(sides) != 2:
        return None
    absolute = ABSOLUTE.fullmatch(sides[0])
    if absolute is not None and is_constant_expression(sides[1]):
        return _read_absolute_value_inequality(absolute[1], signs[0], sides[1])
    if is_constant_expression(sides[0]):
        sides, signs = sides[::-1], [FLIPPED[signs[0]]]
    if not (re.fullmatch(NAME, sides[0]) and is_constant_expression(sides[1])) or "\\text" in sides[0]:
        return None
    return IntervalUnion(sides[0].replace(" ", ""), _half_lines(signs[0], sides[1]))


def _read_absolute_value_inequality(variable: str, sign: str, size: str) -> IntervalUnion | None:
    """|x| < a is −a < x < a, |x| > a two half-lines; a is a positive number."""
    value, closed = exact_number.parse_number(size), sign in ("\\le", "\\ge")
    if value is None or value <= 0 or sign in ("=", "\\ne"):
        return None
    if sign in ("<", "\\le"):
        return IntervalUnion(variable, (RealInterval(f"-{size}", size, closed, closed),))
    return IntervalUnion(
        variable, (RealInterval(LOW, f"-{size}", False, closed), RealInterval(size, HIGH, closed, False))
    )


def _half_lines(sign: str, end: str) -> tuple[RealInterval, ...]:
    if sign == "\\ne":
        return RealInterval(LOW, end, False, False), RealInterval(end, HIGH, False, False)
    if sign == "=":
        return (RealInterval(end, end, True, True),)
    closed = sign in ("\\le", "\\ge")
    return (RealInterval(LOW, end, False, closed) if sign in ("<", "\\le") else RealInterval(end, HIGH, closed, False),)


def _read_double_inequality(sides: Sequence[str], signs: Sequence[str]) -> IntervalUnion | None:
    low, middle, high = sides
    if {*signs} <= {">", "\\ge"}:
        low, high, signs = high, low, [FLIPPED[sign] for sign in signs[::-1]]
    if not {*signs} <= {"<", "\\le"} or not re.fullmatch(NAME, middle) or "\\text" in middle:
        return None
    return IntervalUnion(middle.replace(" ", ""), (RealInterval(low, high, signs[0] == "\\le", signs[1] == "\\le"),))


def is_inequality(text: str) -> bool:
    """Whether a text states an inequality."""
    return RELATION.search(text) is not None

r"""Values of answers at fixed points, by a parser of their own: what tells two expressions apart without algebra.

Read are sums, products, powers, fractions, roots, a few functions and equations, as the grader's algebra reads them;
whatever it may read otherwise (2(3), 3\frac{1}{2}, f(x), i) has no value here. Nothing of a text is ever run. Each
value carries a bound on its rounding, so that two values that are further apart are of two expressions.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

TOKEN = re.compile(r"\\[A-Za-z]+|\d+(?:\.\d+)?|[A-Za-z]|[-+^(){}\[\]]")
SHAPE = re.compile(rf"(?:\s|{TOKEN.pattern})*")
NUMBER = re.compile(r"\d")
INTEGER = re.compile(r"\{\s*(-?\d{1,2})\s*\}")
NO_VARIABLE = frozenset("dei")  # a differential, Euler's number, the imaginary unit
RUN = re.compile(r"[A-Za-z]{2,}")
PLAIN_RUN = re.compile(r"[abckmnp-zA-Z]{2}|[abcxyz]+")  # of variables side by side, which are no function's name
GREEK = frozenset((r"\alpha", r"\beta", r"\theta", r"\lambda"))
TIMES = frozenset((r"\cdot", r"\times"))
LARGEST = 1e6  # of a value on the way: beyond it, what the algebra rounds to 0 may be large here
LEAST_DIVISOR = 1e-6
EPSILON = 2.0**-52
APART, RELATIVE = 1e-6, 1e-9  # the algebra calls equal what differs by 1e-12 of the size, or by coefficients of 1e-15
POINTS = 2
DEEPEST = 40


class NoValue(Exception):
    """The text is not of the kind that is read here, or cannot be computed safely at a point."""


class Bounded(NamedTuple):
    """A number, and a bound on how far rounding has taken it from the true one."""

    value: float
    error: float


class AnswerValues(NamedTuple):
    """The values of an expression at the points, or of the difference of an equation's two sides."""

    at: tuple[Bounded, ...]
    is_equation: bool


def are_values_apart(one: str, other: str) -> bool:
    """Whether two canonical texts surely mean different expressions, or equations that are no multiples."""
    left, right = values_of_answer(one), values_of_answer(other)
    if left is None or right is None or left.is_equation != right.is_equation:
        return False
    if not left.is_equation:
        return any(_differ(a, b) for a, b in zip(left.at, right.at, strict=True))
    try:
        return _differ(_times(left.at[0], right.at[1]), _times(left.at[1], right.at[0]))
    except NoValue:
        return False


def _differ(one: Bounded, other: Bounded) -> bool:
    size = max(abs(one.value), abs(other.value))
    return abs(one.value - other.value) > APART + RELATIVE * size + one.error + other.error


@lru_cache(maxsize=8192)
def values_of_answer(text: str) -> AnswerValues | None:
    """The values of a canonical text; None where it is not read here."""
    sides = text.split("=")
    if len(sides) > 2:
        return None
    try:
        found = [tuple(_value_at(side, point) for point in range(POINTS)) for side in sides]
        if len(found) == 1:
            return AnswerValues(found[0], is_equation=False)
        return AnswerValues(tuple(_plus(a, b, -1.0) for a, b in zip(*found, strict=True)), is_equation=True)
    except (NoValue, ArithmeticError, ValueError):
        return None


def _value_at(text: str, point: int) -> Bounded:
    if not SHAPE.fullmatch(text) or any(not PLAIN_RUN.fullmatch(run) for run in _runs_of_letters(text)):
        raise NoValue(text)
    reading = _Reading(TOKEN.findall(text), point)
    found = reading.sum()
    if reading.next is not None:
        raise NoValue(text)
    return found


def _runs_of_letters(text: str) -> list[str]:
    return RUN.findall(re.sub(r"\\[A-Za-z]+", " ", text))


@lru_cache(maxsize=1024)
def _coordinate(letter: str, point: int) -> float:
    """A number in [0.4, 0.95), the same in every process; the algebra knows no capital letters."""
    digest = hashlib.blake2b(f"{letter.lower()}{point}".encode(), digest_size=6).digest()
    return 0.4 + 0.55 * int.from_bytes(digest, "big") / 2**48


@dataclass(slots=True)
class _Reading:
    """Tokens of a text, read from the left at a point."""

    tokens: list[str]
    point: int
    at: int = 0
    depth: int = 0

    @property
    def next(self) -> str | None:
        """The next token."""
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def _take(self, expected: str) -> None:
        if self.next != expected:
            raise NoValue(expected)
        self.at += 1

    def sum(self) -> Bounded:
        """Terms with their signs."""
        sign = self._sign()
        first = self._product()
        found = first if sign > 0 else Bounded(-first.value, first.error)
        while self.next in ("+", "-"):
            sign = self._sign()
            found = _plus(found, self._product(), sign)
        return found

    def _sign(self) -> float:
        if self.next not in ("+", "-"):
            return 1.0
        self.at += 1
        return 1.0 if self.tokens[self.at - 1] == "+" else -1.0

    def _product(self) -> Bounded:
        found = self._power()
        while self.next is not None and self.next not in "+-)}]":
            if self.next in TIMES:
                self.at += 1
            else:
                self._check_implicit_product()
            found = _times(found, self._power())
        return found

    def _check_implicit_product(self) -> None:
        r"""Refuse factors side by side that may be a number, a sum or a function: 5 6, 2(3), 1\frac{1}{2}, f(x)."""
        before, after = self.tokens[self.at - 1], self.tokens[self.at]
        if NUMBER.match(after) or (after == r"\frac" and NUMBER.match(before)):
            raise NoValue(after)
        if after == "(":
            inside = self._inside_brackets()
            if not any(token.isalpha() for token in inside):
                raise NoValue(after)
            if before[-1].isalpha() and not {"+", "-"} & set(inside[1:]):
                raise NoValue(before)

    def _inside_brackets(self) -> list[str]:
        """What stands in the brackets that open next, without what stands in further ones."""
        depth, inside = 0, list[str]()
        for token in self.tokens[self.at :]:
            depth += (token in "([{") - (token in ")]}")
            if depth == 0:
                break
            inside += [token] if depth == 1 else []
        return inside[1:]

    def _power(self) -> Bounded:
        base = self._atom()
        if self.next != "^":
            return base
        self.at += 1
        whole = self._whole_exponent()
        return _real_power(base, self._group("{", "}")) if whole is None else _whole_power(base, whole)

    def _whole_exponent(self) -> int | None:
        """An exponent in digits, which is then read; None where there is another."""
        found = INTEGER.match("".join(self.tokens[self.at : self.at + 4]))
        if found is None:
            return None
        self.at = self.tokens.index("}", self.at) + 1
        return int(found[1])

    def _group(self, opening: str, closing: str) -> Bounded:
        self._take(opening)
        self.depth += 1
        if self.depth > DEEPEST:
            raise NoValue(opening)
        found = self.sum()
        self.depth -= 1
        self._take(closing)
        return found

    def _atom(self) -> Bounded:
        token = self.next
        if token is None:
            raise NoValue("end")
        if token == "(":
            return self._group("(", ")")
        self.at += 1
        if NUMBER.match(token):
            return _checked(float(token), 0.0)
        if token in ("e", r"\pi"):
            return _checked(math.e if token == "e" else math.pi, 0.0)
        if token in GREEK or (token.isalpha() and token.lower() not in NO_VARIABLE):
            return _checked(_coordinate(token, self.point), 0.0)
        if token == r"\frac":
            return _quotient(self._group("{", "}"), self._group("{", "}"))
        return self._root() if token == r"\sqrt" else self._function(token)

    def _root(self) -> Bounded:
        degree = Bounded(2.0, 0.0)
        if self.next == "[":
            degree = self._group("[", "]")
        return _real_power(self._group("{", "}"), _quotient(Bounded(1.0, 0.0), degree))

    def _function(self, name: str) -> Bounded:
        exponent: int | None = 1
        if self.next == "^":
            self.at += 1
            exponent = self._whole_exponent()
        if name not in FUNCTIONS or self.next != "(" or exponent is None or exponent < 1:  # sin^{-1} is no power
            raise NoValue(name)
        return _whole_power(FUNCTIONS[name](self._group("(", ")")), exponent)


def _checked(value: float, error: float) -> Bounded:
    """A value with its own rounding added to the bound on its error."""
    if not abs(value) <= LARGEST or not error <= LARGEST:
        raise NoValue("too large")
    return Bounded(value, error + 4.0 * EPSILON * abs(value))


def _plus(one: Bounded, other: Bounded, sign: float) -> Bounded:
    return _checked(one.value + sign * other.value, one.error + other.error)


def _times(one: Bounded, other: Bounded) -> Bounded:
    error = abs(one.value) * other.error + abs(other.value) * one.error + one.error * other.error
    return _checked(one.value * other.value, error)


def _quotient(one: Bounded, other: Bounded) -> Bounded:
    least = abs(other.value) - other.error
    if least < LEAST_DIVISOR:
        raise NoValue("division")
    value = one.value / other.value
    return _checked(value, (one.error + abs(value) * other.error) / least)


def _whole_power(base: Bounded, exponent: int) -> Bounded:
    found = Bounded(1.0, 0.0)
    for _ in range(abs(exponent)):
        found = _times(found, base)
    return found if exponent >= 0 else _quotient(Bounded(1.0, 0.0), found)


def _real_power(base: Bounded, exponent: Bounded) -> Bounded:
    """exp(exponent · ln(base)) of a base that is surely positive: the algebra's other branches are not read here."""
    return _exponential(_times(exponent, _logarithm(base)))


def _logarithm(one: Bounded) -> Bounded:
    least = one.value - one.error
    if least < LEAST_DIVISOR:
        raise NoValue("logarithm")
    return _checked(math.log(one.value), one.error / least + EPSILON)


def _exponential(one: Bounded) -> Bounded:
    if one.value + one.error > math.log(LARGEST):
        raise NoValue("too large")
    value = math.exp(one.value)
    return _checked(value, value * math.expm1(one.error))


def _sine(one: Bounded) -> Bounded:
    return _checked(math.sin(one.value), one.error)


def _cosine(one: Bounded) -> Bounded:
    return _checked(math.cos(one.value), one.error)


FUNCTIONS: dict[str, Callable[[Bounded], Bounded]] = {
    r"\sin": _sine,
    r"\cos": _cosine,
    r"\tan": lambda one: _quotient(_sine(one), _cosine(one)),
    r"\ln": _logarithm,
}

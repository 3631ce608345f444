r"""Units after a value: `5\text{ cm}^2` is 5 and "cm^2"; a wrong unit is a wrong answer."""

from __future__ import annotations

import re
from typing import NamedTuple

NAMES = {
    "mm": "mm millimeter millimetre",
    "cm": "cm centimeter centimetre",
    "m": "m meter metre",
    "km": "km kilometer kilometre",
    "in": "in inch inche",
    "ft": "ft foot feet",
    "yd": "yd yard",
    "mi": "mi mile",
    "g": "g gram",
    "kg": "kg kilogram",
    "lb": "lb pound",
    "oz": "oz ounce",
    "l": "l liter litre",
    "ml": "ml milliliter millilitre",
    "gal": "gal gallon",
    "s": "s sec second",
    "min": "min minute",
    "h": "h hr hour",
    "day": "day",
    "week": "week",
    "month": "month",
    "year": "yr year",
    "mph": "mph",
    "km/h": "kph km/h",
    "m/s": "m/s",
    "dollar": "dollar usd",
    "cent": "cent",
    "degree": "degree deg",
    "radian": "radian rad",
    "percent": "percent pct percentage",
    "unit": "unit",
}
COUNTED_WORDS = """
    people person student boy girl child children men women man woman way point vertex vertice edge
    face side triangle square rectangle circle marble ball coin penny pennie nickel dime quarter
    card book page apple orange cookie game team number integer solution root digit term factor
    divisor prime pair set subset outcome arrangement permutation combination path sequence step
    time turn seat chair ticket car box boxe piece slice bag tile
"""
COUNTED = frozenset(COUNTED_WORDS.split())
CANONICAL = {word: unit for unit, words in NAMES.items() for word in words.split()}
CANONICAL |= {"mile per hour": "mph", "kilometer per hour": "km/h", "meter per second": "m/s"}

DEGREE = re.compile(r"\^\\circ\s?(?:(?:\\text\{)?([CF])\}?)?$")
TRIGONOMETRIC = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-zA-Z])")  # sin 20° is no value with a unit
PERCENT = re.compile(r"\\?%$")
TEXT = re.compile(r"\\text\{([^{}]*)\}(?:\^\{?([23])\}?)?$")
BARE = re.compile(r"(?<=[\d})])\s([A-Za-z]{2,}(?: [A-Za-z]{2,}){0,3})(?:\^\{?([23])\}?)?$")
POWERS = {"square": "2", "sq": "2", "cubic": "3", "cu": "3"}


class Quantity(NamedTuple):
    """A value and its unit; `known` says whether the unit is one that may be left out or added."""

    value: str
    unit: str | None
    known: bool


def quantity(text: str) -> Quantity:
    """Split a canonical answer into its value and its unit (None when it has none)."""
    found = PERCENT.search(text)
    if found:
        return Quantity(text[: found.start()].strip(), "percent", True)
    found = DEGREE.search(text)
    if found and found.start() and not TRIGONOMETRIC.search(text):
        return Quantity(text[: found.start()].strip(), f"degree {found[1] or ''}".strip(), True)
    for pattern in (TEXT, BARE):
        found = pattern.search(text)
        if found and found.start() and _word(found[1]):
            unit, known = canonical_unit(found[1], found[2])
            if known or pattern is TEXT:
                return Quantity(text[: found.start()].strip(), unit, known)
    return Quantity(text, None, True)


def canonical_unit(words: str, power: str | None) -> tuple[str, bool]:
    """("square centimeters", None) is ("cm^2", True); unknown words stay, with False."""
    parts = [_singular(word) for word in re.sub(r"[.\s]+", " ", words).strip().lower().split()]
    if len(parts) > 1 and parts[0] in POWERS:
        power, parts = POWERS[parts[0]], parts[1:]
    words = " ".join(parts)
    unit = CANONICAL.get(words, words)
    return (f"{unit}^{power}" if power else unit), words in CANONICAL or words in COUNTED


def agree(gold: Quantity, answer: Quantity) -> bool:
    """Equal units; or one side leaves out a unit that is known."""
    if gold.unit is None or answer.unit is None:
        return gold.known if answer.unit is None else answer.known
    return gold.unit == answer.unit


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 2 and word.endswith("s") and not word.endswith("ss") else word


def _word(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z./ ]*[A-Za-z][A-Za-z./ ]*", text) is not None

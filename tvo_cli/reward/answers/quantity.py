r"""Quantities: `5\text{ cm}^2` is 5 and cm², `15\text{ m/s}` 15 and m·s⁻¹; a wrong unit is a wrong answer."""

from __future__ import annotations

import re
from typing import NamedTuple

from tvo_cli.reward.answers.units import Unit, parse_unit

DEGREE = re.compile(r"\^\\circ ?(?:(?:\\text\{)?([CF])\}?)?$")
TRIGONOMETRIC = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-zA-Z])")  # sin 20° is no value with a unit
PERCENT = re.compile(r"\\?%$")
WRITTEN = re.compile(
    r"(?:/|\\cdot ?)?\\text\{[^{}]*\}(?:\^\{-?\d+\}|/|\\cdot ?|\\text\{[^{}]*\}|(?<=/)\(|\)(?=$|\^))*$"
)
FRACTION = re.compile(r"\\frac\{\\text\{([^{}]*)\}(\^\{\d\})?\}\{\\text\{([^{}]*)\}(\^\{\d\})?\}$")
BARE = re.compile(
    r"(?<=[\d})]) ?((?:k|c|m|µ|n)?(?:m|g|ft|mi|J|W|mol)(?:\^\{\d\})?/(?:s|h|hr|min|L|kg|m)(?:\^\{\d\})?)$"
)
BARE_POWER = re.compile(r"(?<=\d)(?: ?[kcm]m| m| ft| in)\^\{[23]\}$")


class Quantity(NamedTuple):
    """A value and its unit; `known` says whether the unit is one that may be left out or added."""

    value: str
    unit: Unit | None
    known: bool


def read_quantity(text: str, *, letters: bool = False) -> Quantity:
    """Split a canonical answer into its value and its unit (None when it has none); `letters`: m and s are letters."""
    found = PERCENT.search(text)
    if found:
        return Quantity(text[: found.start()].strip(), (("percent", 1),), True)
    found = DEGREE.search(text)
    if found and found.start() and not TRIGONOMETRIC.search(text):
        return Quantity(text[: found.start()].strip(), ((f"degree{found[1] or ''}", 1),), True)
    for pattern in (FRACTION, WRITTEN) if letters else (FRACTION, WRITTEN, BARE, BARE_POWER):
        found = pattern.search(text)
        if found and found.start():
            return _split_value_and_unit(text, found)
    return Quantity(text, None, True)


def _split_value_and_unit(text: str, found: re.Match[str]) -> Quantity:
    value, written = text[: found.start()].strip().rstrip("\\,; "), found[0]
    if found.re is FRACTION:
        written = f"{found[1]}{found[2] or ''}/{found[3]}{found[4] or ''}"
    value, degrees = (value[: -len("^\\circ")], "degree") if value.endswith("^\\circ") else (value, "")
    unit, known = parse_unit(
        re.sub(r"\\text\{([^{}]*)\}", r" \1 ", written), singular=value in ("1", "-1") or "frac{1}" in value
    )
    return Quantity(value, (*unit, (degrees, 1)) if degrees else unit, known and not degrees)


def units_agree(gold: Quantity, answer: Quantity) -> bool:
    """Equal units; or one side leaves out a unit that is known, unless it is the degree of a multiple of π."""
    if gold.unit is None or answer.unit is None:
        unit = gold.unit or answer.unit
        if unit is not None and unit[0][0].startswith("degree") and "\\pi" in gold.value + answer.value:
            return False
        return gold.known and answer.known
    return gold.unit == answer.unit

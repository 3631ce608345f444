r"""Numbers written as numbers, compared exactly: 42, 1,024, −0.50, 3/4, 1\frac{1}{2}, 1.5 × 10^3."""

from __future__ import annotations

import re
from fractions import Fraction

PLAIN = re.compile(r"([+-]?)(\d{1,3}(?:,\d{3})+|\d*)(?:\.(\d*))?", re.ASCII)
DECIMAL = r"\d+(?:\.\d*)?|\.\d+"
RATIO = re.compile(
    rf"([+-]?)(?:(\d+)\s*(?=\\frac))?(?:\\frac\{{([+-]?)({DECIMAL})\}}\{{([+-]?)({DECIMAL})\}}|({DECIMAL})/({DECIMAL}))",
    re.ASCII,
)
MIXED = re.compile(r"([+-]?\d+)\s+(\d+)/(\d+)", re.ASCII)
REPEATING = re.compile(r"([+-]?)(\d*)\.(\d*)\\overline\{(\d+)\}", re.ASCII)
SCIENTIFIC = re.compile(
    rf"([+-]?(?:{DECIMAL}))(?:(?:\\times|\\cdot|\*)\s?10\^(?:\{{([+-]?\d+)\}}(\d*))|[eE]([+-]?\d+))", re.ASCII
)
POWER_OF_TEN = re.compile(r"([+-]?)10\^\{([+-]?\d+)\}", re.ASCII)
RECIPROCAL = re.compile(r"([+-]?)\(?(\d{1,9})\)?\^\{-(\d{1,2})\}", re.ASCII)
DIGITS = 1000  # more digits than this are no answer, and cost time
EXPONENT = 400
CONSTANT = re.compile(r"\\(?:frac|sqrt|pi|infty|ln|log|cdot|times|text)(?![a-zA-Z])|(?<![A-Za-z])e(?![A-Za-z])")


def normalize_decimal(text: str) -> str | None:
    """The canonical form of a plain integer or decimal ("007" and "7.0" are "7"); None for anything else."""
    found = PLAIN.fullmatch(text)
    if found is None or not (found[2] or found[3]):
        return None
    whole, part = found[2].replace(",", "").lstrip("0") or "0", (found[3] or "").rstrip("0")
    value = f"{whole}.{part}" if part else whole
    return value if value == "0" or found[1] != "-" else f"-{value}"


def parse_number(text: str) -> Fraction | None:
    """The exact value of a number written as a number; None where something would have to be worked out."""
    if len(text) > DIGITS:
        return None
    number = normalize_decimal(text)
    if number is not None:
        return Fraction(number)
    for pattern, read in NUMBER_PARSERS:
        found = pattern.fullmatch(text)
        if found is not None:
            return read(found)
    return None


def _parse_fraction(found: re.Match[str]) -> Fraction | None:
    """±[whole] numerator/denominator."""
    above, below = found[4] or found[7], found[6] or found[8]
    if Fraction(below) == 0:
        return None
    share = Fraction(above) / Fraction(below) * (-1 if (found[3] == "-") != (found[5] == "-") else 1)
    return (share + int(found[2] or 0)) * (-1 if found[1] == "-" else 1)


def _parse_mixed_number(found: re.Match[str]) -> Fraction | None:
    whole, above, below = int(found[1]), int(found[2]), int(found[3])
    if below == 0:
        return None
    part = Fraction(above, below)
    return whole - part if found[1].startswith("-") else whole + part


def _parse_repeating_decimal(found: re.Match[str]) -> Fraction | None:
    """0.1\\overline{6} = (16 − 1)/90."""
    sign, whole, start, period = found[1], found[2] or "0", found[3], found[4]
    fixed = Fraction(int(whole + start), 10 ** len(start))
    total = fixed + Fraction(int(period), (10 ** len(period) - 1) * 10 ** len(start))
    return -total if sign == "-" else total


def _parse_scientific(found: re.Match[str]) -> Fraction | None:
    exponent = int(found[2] + found[3] if found[2] else found[4])
    return Fraction(found[1]) * Fraction(10) ** exponent if abs(exponent) <= EXPONENT else None


def _parse_power_of_ten(found: re.Match[str]) -> Fraction | None:
    exponent = int(found[2])
    value = Fraction(10) ** exponent if abs(exponent) <= EXPONENT else None
    return -value if value is not None and found[1] == "-" else value


def _parse_reciprocal(found: re.Match[str]) -> Fraction | None:
    """7^{-1} = 1/7, 2^{-3} = 1/8."""
    base = int(found[2])
    return Fraction(-1 if found[1] == "-" else 1, base ** int(found[3])) if base else None


NUMBER_PARSERS = (
    (RATIO, _parse_fraction),
    (MIXED, _parse_mixed_number),
    (REPEATING, _parse_repeating_decimal),
    (SCIENTIFIC, _parse_scientific),
    (POWER_OF_TEN, _parse_power_of_ten),
    (RECIPROCAL, _parse_reciprocal),
)


def is_constant_expression(text: str) -> bool:
    """No letters: a number, a root, π, e, ∞."""
    return bool(text) and not re.search(r"[A-Za-z<>=,;:]", CONSTANT.sub("", text)) and "text" not in text

"""Numbers with exactly the digits of their file: 0.10 is not 0.1, and 5,000 digits are no error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

MOST_ZEROS = 100  # written out; beyond, the number stays a mantissa and a power of ten
LITERAL = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")


class SpelledNumber(str):
    """A number as its file spells it: a text, so that no digit is lost."""

    __slots__ = ()


def number_text(stated: SpelledNumber | int | float | Decimal) -> str:
    r"""Return a number as people write it: 33.0 is 33, 1e-7 is 0.0000001, 1e400 is 1 \times 10^{400}.

    The number must be finite.
    """
    spelled = str(stated) if isinstance(stated, str | int | Decimal) else repr(stated)
    found = LITERAL.fullmatch(spelled)
    if found is None:
        return spelled
    sign, whole, fraction, exponent = found[1], found[2], found[3] or "", found[4] or "0"
    if not (whole + fraction).strip("0"):
        return "0"
    if abs(_spelled_exponent(exponent)) > MOST_ZEROS:
        mantissa = f"{whole}.{fraction}".rstrip("0").rstrip(".") if fraction else whole
        return f"{sign}{mantissa} \\times 10^{{{_spelled_exponent(exponent)}}}"
    return _decimal_text(sign, whole, fraction, int(exponent))


def numbers_by_value(value: Any) -> Any:
    """Return a value with every spelled number in it as an int or float, for who computes with it."""
    if isinstance(value, SpelledNumber):
        try:
            return int(value) if value.removeprefix("-").isdigit() else float(value)
        except ValueError:  # more digits than Python reads
            return str(value)
    if isinstance(value, Mapping):
        return {str(name): numbers_by_value(one) for name, one in value.items()}
    return [numbers_by_value(one) for one in value] if isinstance(value, list | tuple) else value


def _decimal_text(sign: str, whole: str, fraction: str, exponent: int) -> str:
    """Return a number as it was spelled, without its power of ten, every digit kept."""
    digits, point = whole + fraction, len(whole) + exponent
    digits = "0" * max(0, 1 - point) + digits + "0" * max(0, point - len(digits))
    point = max(point, 1)
    integer, rest = digits[:point].lstrip("0") or "0", digits[point:]
    if not rest.strip("0"):
        rest = ""
    if exponent and rest:
        rest = rest.rstrip("0")
    return sign + (f"{integer}.{rest}" if rest else integer)


def _spelled_exponent(exponent: str) -> int:
    """Return an exponent, cut where it has thousands of digits."""
    return int(exponent[:20])

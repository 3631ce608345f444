r"""Quantities of several units: 3 hours 20 minutes, 6 dollars and 50 cents, 3 red and 2 blue."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction

from tvo_cli.reward.answers import exact_number
from tvo_cli.reward.answers.quantity import Quantity
from tvo_cli.reward.answers.units import AMOUNTS, UNCOUNTED, parse_unit

PIECE = re.compile(r"(\\text\{[^{}]*\}(?:\^\{-?\d+\})?)")
CONNECTIVES = re.compile(r"^(?:and )?(.*?),?(?: and)?$")
DOT = re.compile(r"\\(?:cdot|times)(?![a-z])")
Same = Callable[[str, str], bool]
MOST_UNITS = 12


def read_compound_quantity(text: str) -> tuple[Quantity, ...] | None:
    """The parts of 3 hours 20 minutes, of 6 dollars and 50 cents, of 3 red and 2 blue; None for anything else."""
    pieces = [piece.strip(" ,") for piece in PIECE.split(text)]
    if len(pieces) < 5 or pieces[-1] or not all(pieces[:-1]) or len(pieces) > 2 * MOST_UNITS:
        return None
    parts = [_read_part_of_compound(value, written) for value, written in zip(pieces[:-1:2], pieces[1::2], strict=True)]
    parts = _metre_as_minute(parts) if "\\text{h}" in pieces else parts
    found = tuple(part for part in parts if part is not None)
    return found if len(found) == len(parts) and len({part.unit for part in found}) == len(found) else None


def _metre_as_minute(parts: list[Quantity | None]) -> list[Quantity | None]:
    """The m of 4 h 45 m is a minute, not a metre."""
    return [part._replace(unit=(("min", 1),)) if part and part.unit == (("m", 1),) else part for part in parts]


def _read_part_of_compound(value: str, written: str) -> Quantity | None:
    """One value with its unit or what it counts; words that relate two numbers ("to", "remainder") make none."""
    found = PIECE.fullmatch(written)
    core = CONNECTIVES.match(written[6 : written.index("}")])
    said = core[1] if core and found else ""
    if (
        not said
        or re.search(r"[<>=,:]", value)
        or not re.search(r"[\dA-Za-z]", DOT.sub("", value))
        or any(word.lower() in UNCOUNTED for word in said.split() if word != "in")
    ):
        return None
    unit, known = parse_unit(said + written[written.index("}") + 1 :].replace("{", "").replace("}", ""), singular=True)
    return Quantity(value, unit, known)


def same_compound_quantity(gold: Sequence[Quantity], answer: Sequence[Quantity], same: Same) -> bool:
    """Equal sums where all units measure one thing; else each part has its partner."""
    if not gold or not answer:
        return False
    totals = _total_in_smallest_unit(gold), _total_in_smallest_unit(answer)
    if None not in totals:
        return totals[0] == totals[1]
    values = {part.unit: part.value for part in answer}
    return len(gold) == len(answer) and all(
        part.unit in values and same(part.value, values[part.unit]) for part in gold
    )


def _total_in_smallest_unit(parts: Sequence[Quantity]) -> tuple[str, Fraction] | None:
    """What is measured, and how much in the smallest unit."""
    kinds, total = set(), Fraction(0)
    for part in parts:
        name, power = (part.unit or (("", 1),))[0]
        value = exact_number.parse_number(part.value)
        if value is None or power != 1 or len(part.unit or ()) != 1 or name not in AMOUNTS:
            return None
        kinds.add(AMOUNTS[name][0])
        total += value * AMOUNTS[name][1]
    return (kinds.pop(), total) if len(kinds) == 1 else None

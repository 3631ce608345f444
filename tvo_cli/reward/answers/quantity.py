r"""Quantities: `5\text{ cm}^2` is 5 and cm², `15\text{ m/s}` 15 and m·s⁻¹; a wrong unit is a wrong answer.

Units have a table (unit_names.py). What is counted has a rule: one to four plain words that end in a plural, none
of them a number word, a preposition or a qualification, are a unit too ("24 eggs", not "5 thousand", "5 or so").
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tvo_cli.reward.answers.latex_macros import words_of_table
from tvo_cli.reward.answers.unit_names import COMPOSITE, UNITS

Unit = tuple[tuple[str, int], ...]  # names and powers, sorted

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
STEP = re.compile(r"([^\W\d_]+(?:['’-][^\W\d_]+)*|¢)|(\^\{?(-?\d+)\}?)|(/)|([().\s·*]|\\cdot)")
POWERS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
AFTER = {"squared": 2, "cubed": 3}
TAIL = re.compile(
    r"[, ]*\b(?:left|remaining|needed|each|in total|in all|altogether|total|overall|exactly|in length|of area|long|old"
    r"|tall)$"
)
UNCOUNTED = words_of_table(
    """thousand million billion trillion hundred dozen ten half third quarter fourth fifth sixth seventh eighth ninth
    tenth hundredth thousandth lakh crore score gross or and nor not no to in from at by than about around less more
    least most over under remainder with without per each because if when where so is are was this that it than
    approximately nearly almost roughly between mod modulo base for plus minus percent maybe perhaps other
    digits-of thus yes as either but only unless until versus vs out th st nd rd first second-last one two three four
    five six seven eight nine zero millionth billionth trillionth eleventh twelfth thirteenth sixteenth twentieth
    thirtieth sixtieth ratio odds halve grosse negative double triple"""
)
PLURALS = words_of_table("people children men women teeth geese mice fish sheep deer data dice oxen criteria loci foci")
COUNTABLE = words_of_table("time inche foot point way day")
CHINESE = re.compile(r"[\u4e00-\u9fff]{1,5}(?: ?/ ?[\u4e00-\u9fff]{1,3})?")
BELOW = re.compile(r"/ ?\(([^()]*)\)")
CHINESE_NUMBERS = re.compile(r"[零一二三四五六七八九十百千万亿半双倍分约或至多少打成折以余足左右不超近]")


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


def parse_unit(written: str, *, singular: bool = False) -> tuple[Unit, bool]:
    """("square centimeters") is ((("cm", 2),), True); unknown words stay as they are, with False."""
    words = TAIL.sub("", " ".join(written.split()))
    if not words:
        return (), False
    found = _parse_unit_powers(words)
    if found is not None:
        return found, True
    counted = _counted_thing(words, singular)
    if counted is not None:
        return ((counted, 1),), True
    rate = _parse_counting_rate(words)
    if rate is not None:
        return rate, True
    return ((" ".join(words.lower().split()), 1),), False


def _parse_unit_powers(written: str) -> Unit | None:
    """The units with their powers; None where a word is no unit."""
    powers: dict[str, int] = {}
    sign, power, last = 1, 1, None
    for name, raised, exponent, slash, _ in STEP.findall(_merge_two_word_units(written)):
        lower = name.lower()
        if raised or lower in AFTER:
            if last is None:
                return None
            _raise_last_unit(powers, last, int(exponent) if raised else AFTER[lower])
            last = None
        elif slash or lower == "per" or (lower in ("a", "an") and powers):
            sign = -1
        elif lower in POWERS:
            power = POWERS[lower]
        elif name:
            last = _add_unit(name, sign * power, powers)
            if last is None:
                return None
            sign, power = 1, 1
    return tuple(sorted((unit, p) for unit, p in powers.items() if p)) if powers and sign == 1 else None


def _raise_last_unit(powers: dict[str, int], last: tuple[str, int], exponent: int) -> None:
    """The unit read last, to a power."""
    unit, power = last
    powers[unit] += power * (exponent - 1)


def _merge_two_word_units(written: str) -> str:
    """Units of two words are one; whatever STEP cannot read makes the whole no unit."""
    written = BELOW.sub(lambda found: "/" + "/".join(re.split(r"[\s·*]+|\\cdot ?", found[1].strip())), written)
    written = re.sub(r"\bper cent\b", "percent", written)
    written = re.sub(r"\bdegrees? ?([CF])(?:elsius|ahrenheit)?\b", r"degree\1", written)
    text = re.sub(r"\b(astronomical|light|solar|electron) (?=unit|year|mass|volt)", r"\1-", written.replace("’", "'"))
    return text if not STEP.sub("", text).strip() else "?"


def _add_unit(name: str, power: int, powers: dict[str, int]) -> tuple[str, int] | None:
    """Add one unit by its name; a thing that is counted may stand below ("dollars per ticket")."""
    composite = COMPOSITE.get(name) or COMPOSITE.get(name.lower() if len(name) > 2 else "")
    for unit, own in composite or ():
        powers[unit] = powers.get(unit, 0) + own * power
    if composite:
        return composite[-1][0], power
    unit = _known_unit_of_word(name) or ""
    if not unit and power < 0 and len(name) > 2 and _singular_of_counted(name.lower()) not in UNCOUNTED:
        unit = _singular_of_counted(name.lower())
    if not unit:
        return None
    powers[unit] = powers.get(unit, 0) + power
    return unit, power


def _known_unit_of_word(name: str) -> str | None:
    """Symbols by their case; words in any case and number."""
    lower = name.lower()
    return UNITS.get(name) or (UNITS.get(lower) or UNITS.get(_singular_of_counted(lower)) if len(name) > 2 else None)


def _counted_thing(written: str, singular: bool) -> str | None:
    """What is counted, in the singular; None for words that say something of the number."""
    words = [word.strip(".,").lower() for word in written.split()]
    if CHINESE.fullmatch(written):
        return (
            None
            if CHINESE_NUMBERS.search(written.replace("千米", "").replace("千克", ""))
            else written.replace(" ", "")
        )
    if not 1 <= len(words) <= 4 or not all(re.fullmatch(r"[a-z]+(?:['-][a-z]+)*", word) for word in words):
        return None
    if any(word in UNCOUNTED or _singular_of_counted(word) in UNCOUNTED for word in words):
        return None
    head = words.index("of") - 1 if "of" in words[1:-1] else len(words) - 1  # boxes of crayons
    if words[0] == "of" or not (
        singular or _is_plural_of_counted(words[head]) or _singular_of_counted(words[head]) in COUNTABLE
    ):
        return None
    return " ".join([*words[:head], _singular_of_counted(words[head]), *words[head + 1 :]])


def _parse_counting_rate(written: str) -> Unit | None:
    """What is counted in each unit: beats per minute, 3 pages an hour."""
    above, _, below = written.partition(" per ")
    counted, unit = _counted_thing(above, False), _parse_unit_powers(f"unit per {below}") if below else None
    if counted is None or unit is None:
        return None
    return tuple(sorted({counted: 1, **{name: power for name, power in unit if name != "unit"}}.items()))


def _is_plural_of_counted(word: str) -> bool:
    return word in PLURALS or (len(word) > 3 and word.endswith("s") and word[-2] not in "sui")


def _singular_of_counted(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if len(word) > 2 and word.endswith("s") and not word.endswith("ss") else word


def units_agree(gold: Quantity, answer: Quantity) -> bool:
    """Equal units; or one side leaves out a unit that is known, unless it is the degree of a multiple of π."""
    if gold.unit is None or answer.unit is None:
        unit = gold.unit or answer.unit
        if unit is not None and unit[0][0].startswith("degree") and "\\pi" in gold.value + answer.value:
            return False
        return gold.known and answer.known
    return _same_unit(gold.unit, answer.unit)


def _same_unit(gold: Unit, answer: Unit) -> bool:
    """Unit by unit; "units" fits any length, as "square units" fits any area."""
    return gold == answer

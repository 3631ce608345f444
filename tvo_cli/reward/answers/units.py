"""Units: the table of their names, and words read as units with powers. A units library takes 0.8 s to start.

What is counted has a rule: one to four plain words that end in a plural, none of them a number word, a preposition
or a qualification, are a unit too ("24 eggs", not "5 thousand", "5 or so").
"""

from __future__ import annotations

import re
from fractions import Fraction

from tvo_cli.reward.answers.latex_macros import words_of_macro_table

# unit: how it is written, symbols first (case counts), then words in lower case and the singular
WRITTEN = {
    "m": "m metre meter",
    "g": "g gm gram gramme",
    "s": "s sec second",
    "L": "L l liter litre",
    "J": "J joule",
    "W": "W watt",
    "eV": "eV electronvolt electron-volt",
    "V": "V volt",
    "A": "A amp ampere",
    "Hz": "Hz hertz",
    "Pa": "Pa pascal",
    "N": "N newton",
    "mol": "mol mole",
    "cal": "cal calorie",
    "pc": "pc parsec",
    "K": "K kelvin",
    "C": "C coulomb",
    "T": "T tesla",
    "F": "F farad",
    "Ω": "Ω ohm",
    "B": "B byte",
    "bit": "bit",
    "in": "in inch inche",
    "ft": "ft foot feet",
    "yd": "yd yard",
    "mi": "mi mile",
    "lb": "lb lbs pound",
    "oz": "oz ounce",
    "ton": "ton tonne",
    "gal": "gal gallon",
    "qt": "qt quart",
    "pt": "pint",
    "cup": "cup",
    "min": "min minute",
    "h": "h hr hour",
    "day": "d day",
    "week": "wk week",
    "month": "month",
    "yr": "yr year",
    "dollar": "dollar usd buck",
    "cent": "¢ cent",
    "euro": "eur euro",
    "gbp": "gbp",
    "rupee": "inr rupee",
    "yen": "jpy yen",
    "degree": "deg degree",
    "degreeC": "degreeC celsius",
    "degreeF": "degreeF fahrenheit",
    "rad": "rad radian",
    "arcmin": "arcmin arcminute",
    "arcsec": "arcsec arcsecond",
    "Å": "Å angstrom ångström",
    "AU": "AU au astronomical-unit",
    "ly": "ly light-year lightyear",
    "M☉": "solar-masse solar-mass",
    "erg": "erg",
    "dyn": "dyn dyne",
    "atm": "atm atmosphere",
    "bar": "bar",
    "acre": "acre",
    "dB": "dB decibel",
    "unit": "unit u",
    "percent": "percent pct percentage",
    "M": "M molar",
    "Gauss": "gauss G",
    "Da": "Da dalton",
    "rpm": "rpm",
    "psi": "psi",
    "hp": "hp horsepower",
}
PREFIXABLE = words_of_macro_table("m g s L J W eV V A Hz Pa N mol cal pc K C T F Ω yr B bit M bar Da rad")
PREFIXES = {"k": "kilo", "c": "centi", "m": "milli", "n": "nano", "µ": "micro", "M": "mega", "G": "giga", "T": "tera"}
PREFIXES |= {"p": "pico", "f": "femto", "d": "deci", "h": "hecto"}
COMPOSITE = {
    "mph": (("mi", 1), ("h", -1)),
    "kph": (("km", 1), ("h", -1)),
    "kmh": (("km", 1), ("h", -1)),
    "fps": (("ft", 1), ("s", -1)),
    "mpg": (("mi", 1), ("gal", -1)),
    "kwh": (("kW", 1), ("h", 1)),
    "Nm": (("N", 1), ("m", 1)),
    "cc": (("cm", 3),),
    "amu": (("Da", 1),),
}
# unit: (what it measures, its size), for quantities of several units
SIZES = {
    **{"s": ("time", 1), "min": ("time", 60), "h": ("time", 3600), "day": ("time", 86400), "week": ("time", 604800)},
    **{"month": ("years", 1), "yr": ("years", 12)},
    **{"in": ("feet", 1), "ft": ("feet", 12), "yd": ("feet", 36), "mi": ("feet", 63360)},
    **{"mm": ("metres", 1), "cm": ("metres", 10), "m": ("metres", 1000), "km": ("metres", 1000000)},
    **{"oz": ("pounds", 1), "lb": ("pounds", 16)},
    **{"mg": ("grams", 1), "g": ("grams", 1000), "kg": ("grams", 1000000)},
    **{"cup": ("cups", 1), "pt": ("cups", 2), "qt": ("cups", 4), "gal": ("cups", 16)},
    **{"mL": ("litres", 1), "L": ("litres", 1000)},
    **{"cent": ("money", 1), "dollar": ("money", 100)},
    **{"arcsec": ("angle", 1), "arcmin": ("angle", 60), "degree": ("angle", 3600)},
}


def _table_of_unit_spellings() -> dict[str, str]:
    """Symbol → unit, with the prefixes of the SI; words → unit."""
    table: dict[str, str] = {}
    for unit, written in WRITTEN.items():
        for name in written.split():
            table[name] = unit
            if unit in PREFIXABLE:
                table |= _with_si_prefixes(name, unit)
    return table


def _with_si_prefixes(name: str, unit: str) -> dict[str, str]:
    is_word = len(name) > 2 and name.islower() and name not in ("mol", "cal", "bit", "bar")
    table = {(word if is_word else sign) + name: sign + unit for sign, word in PREFIXES.items()}
    plain = {"ft", "min", "cd", "Pa", "Gauss", "pt", "hr", "cpc"}
    return {key: value for key, value in table.items() if key not in plain}


UNITS = _table_of_unit_spellings() | {name: unit for unit, names in WRITTEN.items() for name in names.split()}
AMOUNTS = {unit: (kind, Fraction(size)) for unit, (kind, size) in SIZES.items()}

Unit = tuple[tuple[str, int], ...]  # names and powers, sorted
STEP = re.compile(r"([^\W\d_]+(?:['’-][^\W\d_]+)*|¢)|(\^\{?(-?\d+)\}?)|(/)|([().\s·*]|\\cdot)")
POWERS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
AFTER = {"squared": 2, "cubed": 3}
TAIL = re.compile(
    r"[, ]*\b(?:left|remaining|needed|each|in total|in all|altogether|total|overall|exactly|in length|of area|long|old"
    r"|tall)$"
)
UNCOUNTED = words_of_macro_table(
    """thousand million billion trillion hundred dozen ten half third quarter fourth fifth sixth seventh eighth ninth
    tenth hundredth thousandth lakh crore score gross or and nor not no to in from at by than about around less more
    least most over under remainder with without per each because if when where so is are was this that it than
    approximately nearly almost roughly between mod modulo base for plus minus percent maybe perhaps other
    digits-of thus yes as either but only unless until versus vs out th st nd rd first second-last one two three four
    five six seven eight nine zero millionth billionth trillionth eleventh twelfth thirteenth sixteenth twentieth
    thirtieth sixtieth ratio odds halve grosse negative double triple"""
)
PLURALS = words_of_macro_table(
    "people children men women teeth geese mice fish sheep deer data dice oxen criteria loci foci"
)
COUNTABLE = words_of_macro_table("time inche foot point way day")
CHINESE = re.compile(r"[\u4e00-\u9fff]{1,5}(?: ?/ ?[\u4e00-\u9fff]{1,3})?")
BELOW = re.compile(r"/ ?\(([^()]*)\)")
CHINESE_NUMBERS = re.compile(r"[零一二三四五六七八九十百千万亿半双倍分约或至多少打成折以余足左右不超近]")


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
    """Raise the unit that was read last from words to a power."""
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

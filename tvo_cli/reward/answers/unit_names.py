"""Names of units: what people write after a value. A table of our own: a units library takes 0.8 s to start."""

from __future__ import annotations

from fractions import Fraction

from tvo_cli.reward.answers.latex_macros import words_of_table

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
PREFIXABLE = words_of_table("m g s L J W eV V A Hz Pa N mol cal pc K C T F Ω yr B bit M bar Da rad")
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

r"""Numbers in words: seventeen is 17, \text{seventh} 7th, 48\text{ thousand} 48000, 2\text{ dozen eggs} 24 eggs."""

from __future__ import annotations

import re
from fractions import Fraction

ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
VALUES = {word: i for i, word in enumerate(ONES)} | TENS
PLACES = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh"),
    *("twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"),
    "twentieth",
)
ORDINALS = {word: i for i, word in enumerate(PLACES, 1)}
SCALES = {"dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
SCALED = re.compile(
    rf"(-?)(\d{{1,6}}(?:\.\d{{1,12}})?)\\text\{{(dollars )?({'|'.join(SCALES)})\b ?"
    r"(?!(?:th|more|less|and|or)\b)([^{}]*)\}",
    re.ASCII,
)


def read_cardinal_words(words: str) -> int | None:
    """The whole number that the words say, up to 999; None for anything else."""
    hundreds, _, rest = words.rpartition(" hundred")
    if hundreds:
        if hundreds not in ONES[1:10]:
            return None
        below = _words_below_hundred(re.sub(r"^ (?:and )?", "", rest)) if rest else 0
        return None if below is None else 100 * ONES.index(hundreds) + below
    return _words_below_hundred(words)


def _words_below_hundred(words: str) -> int | None:
    tens, _, one = words.replace("-", " ").rpartition(" ")
    if not tens:
        return VALUES.get(one)
    return TENS[tens] + VALUES[one] if tens in TENS and one in ONES[1:10] else None


def read_ordinal_number_words(words: str) -> int | None:
    """The place that the words say: third is 3; None for anything else."""
    return ORDINALS.get(words)


def expand_number_scale(text: str) -> str:
    r"""48\text{thousand people} as 48000\text{people}; other texts as they are."""
    found = SCALED.fullmatch(text)
    if found is None:
        return text
    value = Fraction(found[2]) * SCALES[found[4]]
    if value.denominator != 1:
        return text
    unit = f"{found[3] or ''}{found[5]}".strip()
    return f"{found[1]}{value}" + (rf"\text{{{unit}}}" if unit else "")

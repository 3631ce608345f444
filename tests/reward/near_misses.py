r"""Near misses of golds: answers that are wrong by construction, one small change away from a right one.

Each rule changes what carries the meaning and knows that the meaning changed: another value in the place of a
number, another order of values that differ, another unit, "and" for "or", a degree behind a multiple of π, another
base, another bracket. A rule that cannot be sure makes nothing.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

Miss = tuple[str, str, str]  # gold, answer, rule
NUMBER = re.compile(r"(?<![\w.,\\!{}^-])\d{1,6}(?:\.\d{1,4})?(?![\w.,%!:\\]|\{,)")
WHOLE = re.compile(r"-?\d{1,6}(?:\.\d{1,4})?|-?\\d?frac\{\d+\}\{\d+\}")
UNIT = re.compile(
    r"(\\text\s*\{\s*)(cm|m|km|feet|inches|hours|minutes|dollars|cents|degrees|miles|pounds|seconds)(\s*\})"
)
UNITS = ("cm", "m", "km", "feet", "inches", "hours", "minutes", "dollars", "cents", "miles", "pounds", "seconds")
PAIR = re.compile(r"(\\text\s*\{[^{}]*\})")
SCALES = ("thousand", "million", "dozen", "hundred", "or more", "at least", "tenths")
LISTED = re.compile(r"\\text\s*\{[\s,]*(?:and|or)\s*\}")  # 1 or 2 is 2 or 1
PROSE = re.compile(r"\\text|\\mathrm|[a-zA-Z]{3,}")


def altered_number(gold: str, rng: random.Random) -> str | None:
    """One number of the gold by another one: in an answer that is a number, a list, a tuple or an interval of them."""
    parts = _plain_parts(gold)
    if parts is None:
        return None
    i = rng.randrange(len(parts))
    other = _another(parts[i], rng)
    if other is None or len({*map(_value, parts)}) < len(parts):
        return None
    return _with_parts(gold, parts, [*parts[:i], other, *parts[i + 1 :]])


def exchanged_order(gold: str, rng: random.Random) -> str | None:
    """Two different values of a tuple or interval in each other's place."""
    parts = _plain_parts(gold)
    if parts is None or len(parts) < 2 or gold.strip()[0] not in "([" or len({*map(_value, parts)}) < len(parts):
        return None
    i, j = rng.sample(range(len(parts)), 2)
    swapped = list(parts)
    swapped[i], swapped[j] = parts[j], parts[i]
    return _with_parts(gold, parts, swapped)


def left_out(gold: str, rng: random.Random) -> str | None:
    """A list, tuple or interval without one of its values."""
    parts = _plain_parts(gold)
    if parts is None or len(parts) < 2:
        return None
    i = rng.randrange(len(parts))
    return _with_parts(gold, parts, [*parts[:i], *parts[i + 1 :]])


def one_more(gold: str, rng: random.Random) -> str | None:
    """A list or number with a further value that is not in it."""
    parts = _plain_parts(gold)
    if parts is None:
        return None
    other = str(rng.randrange(1000, 9999))
    return None if other in parts else _with_parts(gold, parts, [*parts, other])


def other_sign(gold: str, rng: random.Random) -> str | None:
    """The negative of a number that is not 0, or of one value of a tuple."""
    parts = _plain_parts(gold)
    if parts is None or len({abs(value) for value in map(_value, parts)}) < len(parts):
        return None
    i = rng.randrange(len(parts))
    if _value(parts[i]) == 0:
        return None
    flipped = parts[i][1:] if parts[i].startswith("-") else f"-{parts[i]}"
    return _with_parts(gold, parts, [*parts[:i], flipped, *parts[i + 1 :]])


def other_bracket(gold: str, rng: random.Random) -> str | None:
    """An interval with one end open for closed: [1,2) for [1,2]; with ∞, at its finite end."""
    text = gold.replace(r"\left", "").replace(r"\right", "").strip()
    found = re.fullmatch(r"([(\[])([^()\[\],]+),([^()\[\],]+)([)\]])", text)
    if found is None:
        return None
    flips = [i for i in (0, 1) if "infty" not in found[2 + i]]
    if not flips:
        return None
    ends = [found[1], found[4]]
    i = rng.choice(flips)
    ends[i] = {"(": "[", "[": "(", ")": "]", "]": ")"}[ends[i]]
    return f"{ends[0]}{found[2]},{found[3]}{ends[1]}"


def other_unit(gold: str, rng: random.Random) -> str | None:
    """Another unit in the place of the gold's."""
    found = UNIT.search(gold)
    if found is None or len(UNIT.findall(gold)) > 1 or "\\text{ h }" in gold:  # the m of 5 h 20 m are minutes
        return None
    unit = rng.choice([unit for unit in UNITS if unit != found[2]])
    return gold[: found.start()] + rf"{found[1]}{unit}{found[3]}" + gold[found.end() :]


def exchanged_units(gold: str, rng: random.Random) -> str | None:
    """3 hours 20 minutes as 20 hours 3 minutes; the two values differ."""
    if LISTED.search(gold):
        return None
    pieces = PAIR.split(gold)
    places = [i for i, piece in enumerate(pieces) if re.fullmatch(r"[\s,]*\d+\s*", piece)]
    numbers = [pieces[i].strip(" ,") for i in places]
    if len(places) < 2 or len({*numbers}) < len(numbers) or len({*pieces[1::2]}) < len(pieces[1::2]):
        return None
    i, j = rng.sample(places, 2)
    pieces[i], pieces[j] = pieces[j], pieces[i]
    return "".join(pieces).strip(" ,")


def moved_factor(gold: str, rng: random.Random) -> str | None:
    """3 hours 20 minutes as 6 hours 10 minutes: the product stays, neither value does."""
    if LISTED.search(gold):
        return None
    pieces = PAIR.split(gold)
    places = [i for i, piece in enumerate(pieces) if re.fullmatch(r"[\s,]*\d+\s*", piece)]
    if len(places) != 2:
        return None
    first, second = (int(pieces[i].strip(" ,")) for i in places)
    factors = [k for k in range(2, 10) if second and second % k == 0]
    if not factors or first == 0 or ":" in gold:
        return None
    k = rng.choice(factors)
    pieces[places[0]], pieces[places[1]] = f"{first * k} ", f" {second // k} "
    return "".join(pieces)


def and_for_or(gold: str, rng: random.Random) -> str | None:
    """Inequalities joined by the other word."""
    if not re.search(r"<|>|\\[lg]e", gold):
        return None
    words = [(r"\text{ or }", r"\text{ and }"), (r"\lor", r"\land")]
    for left, right in [*words, *(pair[::-1] for pair in words)]:
        if left in gold:
            return gold.replace(left, right)
    return None


def degrees_of_pi(gold: str, rng: random.Random) -> str | None:
    """A multiple of π in degrees."""
    if (
        r"\pi" not in gold
        or PROSE.search(re.sub(r"\\(?:pi|[dt]?frac|left|right)", "", gold))
        or re.search(r"[=,\[]", gold)
    ):
        return None
    return gold + rng.choice([r"^\circ", r" \text{ degrees}", r"^{\circ}"])


def other_base(gold: str, rng: random.Random) -> str | None:
    """The same digits in another base; or two different digits exchanged."""
    found = re.fullmatch(r"(\d+)_\{?(\d+)\}?", gold.strip())
    if found is None:
        return None
    base = rng.choice([base for base in range(2, 17) if base != int(found[2])])
    return f"{found[1]}_{{{base}}}"


def scaled(gold: str, rng: random.Random) -> str | None:
    """A number with a word that changes it: 5 thousand, 5 or more."""
    if not WHOLE.fullmatch(gold.strip()) or _value(gold) == 0:
        return None
    return rf"{gold.strip()} \text{{ {rng.choice(SCALES)}}}"


def permuted_ratio(gold: str, rng: random.Random) -> str | None:
    """Terms of a ratio, or hour and minute, in another order or moved against each other."""
    found = re.match(r"(\d+)(?:\\!)?:(?:\\!)?(\d+)(?!\d|:)", gold.strip())
    if found is None or int(found[1]) == int(found[2]) or 0 in (int(found[1]), int(found[2])):
        return None
    first, second = int(found[1]), int(found[2])
    terms = rng.choice([(second, first), (first, second + 1), (first * second, 1) if second > 1 else (second, first)])
    return f"{terms[0]}:{terms[1]:02d}{gold.strip()[found.end() :]}" if terms[0] * second != first * terms[1] else None


RULES: tuple[Callable[[str, random.Random], str | None], ...] = (
    *(altered_number, exchanged_order, left_out, one_more, other_sign, other_bracket, other_unit, exchanged_units),
    *(moved_factor, and_for_or, degrees_of_pi, other_base, scaled, permuted_ratio),
)


def near_misses(golds: Sequence[str], seed: int) -> Iterator[Miss]:
    """Without end: a rule and a gold at random, what it makes where it makes something."""
    rng = random.Random(seed)
    makers = {rule: [gold for gold in golds if _applies(rule, gold)] for rule in RULES}
    rules = [rule for rule in RULES if makers[rule]]
    while rules:
        rule = rng.choice(rules)
        gold = rng.choice(makers[rule])
        answer = rule(gold, rng)
        if answer is not None and answer.strip() != gold.strip():
            yield gold, answer, rule.__name__


def _applies(rule: Callable[[str, random.Random], str | None], gold: str) -> bool:
    return any(rule(gold, random.Random(seed)) is not None for seed in range(3))


def _plain_parts(gold: str) -> list[str] | None:
    """The numbers of a gold that is nothing but numbers side by side, in brackets or not."""
    text = _inside(gold)
    parts = [part.strip() for part in text.split(",")]
    if re.search(r"\d,\d{3}(?!\d)|\\!|\{,\}", text) or not all(WHOLE.fullmatch(part) for part in parts):
        return None
    return parts


def _inside(gold: str) -> str:
    text = gold.replace(r"\left", "").replace(r"\right", "").strip()
    found = re.fullmatch(r"(?:\(|\[|\\\{)(.*)(?:\)|\]|\\\})", text)
    return found[1] if found else text


def _with_parts(gold: str, parts: Sequence[str], others: Sequence[str]) -> str | None:
    text = gold.replace(r"\left", "").replace(r"\right", "").strip()
    inside = _inside(gold)
    if len(parts) == 1 and inside != text:
        return None
    return text.replace(inside, ", ".join(others))


def _value(part: str) -> Fraction:
    found = re.fullmatch(r"(-?)\\d?frac\{(\d+)\}\{(\d+)\}", part.strip())
    if found is None:
        return Fraction(part.strip())
    return Fraction(int(found[2]), int(found[3]) or 1) * (-1 if found[1] else 1)


def _another(part: str, rng: random.Random) -> str | None:
    """Another value in the same form: one digit altered, one more, ten times as much."""
    if not re.fullmatch(r"-?\d+(?:\.\d+)?", part):
        other = re.sub(r"\d+(?=\}$)", lambda found: str(int(found[0]) + rng.choice((1, 2, 10))), part)
    else:
        i = rng.choice([i for i, character in enumerate(part) if character.isdigit()])
        other = part[:i] + rng.choice([d for d in "0123456789" if d != part[i]]) + part[i + 1 :]
        other = rng.choice([other, f"{part}0" if "." not in part else other])
    percent = {_value(part) * 100, _value(part) / 100}
    return other if _value(other) != _value(part) and _value(other) not in percent else None

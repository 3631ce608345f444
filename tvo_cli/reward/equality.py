r"""When two answers are equal: our rules, in order, before any algebra.

A false accept costs more than a false reject.

1. One spelling (normal.py): the same text is the same answer.
2. Numbers written as numbers are compared exactly, in any spelling; where the gold is one, an answer that
   would have to be worked out ("17·23") is wrong: it may be the question itself.
3. Lists, sets and unions are equal in any order, tuples and intervals part by part with the same brackets.
4. `x = 5` is 5 and `x = y = 5` too; "371 = 372" is neither. Several values never equal one.
5. Units and bases: equal, or left out on one side. 50% is 0.5, and 50 where the gold is a whole number.
6. A multiple choice is its letter, a text answer its words.
7. What is left is an expression, an equation or an inequality without structure: `algebra` decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tvo_cli.reward import number, structure
from tvo_cli.reward.normal import canonical
from tvo_cli.reward.unit import Quantity, agree, quantity

Algebra = Callable[[str, str], bool]
BASE = re.compile(r"(?=[A-F]*\d)([0-9A-F]+)_\{?(?:\\text\{)?(\w+?)\}{0,2}", re.ASCII)
BASE_NAMES = {
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
}
PLUS_MINUS = re.compile(r"\\pm(?![a-zA-Z])\s*")
MOST_PARTS = 40
EMPTY = "\\emptyset"


class Undecided(Exception):
    """Only algebra can tell."""


def undecided(gold: str, answer: str) -> bool:
    """The algebra of a process that has none."""
    raise Undecided


def equal(gold: str, answer: str, algebra: Algebra) -> bool:
    """Whether the answer is the gold; `algebra(gold, answer)` is asked for single expressions only."""
    return _equal(structure.reals(canonical(gold)), structure.reals(canonical(answer)), algebra)


def is_list(gold: str) -> bool:
    """Whether a gold states several values side by side."""
    return len(_parts(canonical(gold))) > 1


def _equal(gold: str, answer: str, algebra: Algebra) -> bool:
    if not answer or not gold:
        return False
    if gold == answer:
        return True
    for rule in (_choices, _texts, _lists, _unions, _brackets, _names):
        verdict = rule(gold, answer, algebra)
        if verdict is not None:
            return verdict
    return _quantities(quantity(gold), quantity(answer), algebra)


def _choices(gold: str, answer: str, algebra: Algebra) -> bool | None:
    letter = structure.choice(gold)
    if letter is None or not structure.choice(answer):
        return None
    return letter == structure.choice(answer)


def _texts(gold: str, answer: str, algebra: Algebra) -> bool | None:
    expected, said = structure.words(gold), structure.words(answer)
    if expected is None:
        return None if said is None or structure.words(gold) else False
    return said == expected


def _parts(text: str) -> tuple[str, ...]:
    """The values side by side: of 1, 2; of {1, 2}; of 3 ± 1; of x = 1, 2."""
    around = structure.bracketed(text)
    if around is not None:
        return around.parts if around.opening == "\\{" and around.parts != (EMPTY,) else (text,)
    parts = structure.split(text)
    if len(parts) == 1 and len(PLUS_MINUS.findall(text)) == 1:
        return tuple(PLUS_MINUS.sub(sign, text).lstrip("+") for sign in "+-")
    return parts


def _lists(gold: str, answer: str, algebra: Algebra) -> bool | None:
    expected, said = _parts(gold), _parts(answer)
    if (expected, said) in (((gold,), (answer,)), ((), (answer,)), ((gold,), ())):
        return None
    if len(expected) != len(said) or len(said) > MOST_PARTS:
        return False
    if _ordered(expected, said):
        return all(_equal(g, a, algebra) for g, a in zip(expected, said, strict=True))
    return _same_members(expected, said, algebra)


def _ordered(expected: Sequence[str], said: Sequence[str]) -> bool:
    """Names on one side only: x = 1, y = 2 is 1, 2 in this order."""
    names = [{structure.named(part)[0] for part in side} - {None} for side in (expected, said)]
    return any(len(own) > 1 and not other for own, other in (names, names[::-1]))


def _same_members(expected: Sequence[str], said: Sequence[str], algebra: Algebra) -> bool:
    """Each member finds its own partner."""
    left = list(said)
    for member in expected:
        partner = next((i for i, other in enumerate(left) if other == member), None)
        if partner is None:
            partner = next((i for i, other in enumerate(left) if _equal(member, other, algebra)), None)
        if partner is None:
            return False
        del left[partner]
    return True


def _unions(gold: str, answer: str, algebra: Algebra) -> bool | None:
    expected, said = structure.union(structure.named(gold)[1]), structure.union(structure.named(answer)[1])
    if len(expected) < 2 and len(said) < 2:
        return None
    return len(expected) == len(said) <= MOST_PARTS and _same_members(expected, said, algebra)


def _brackets(gold: str, answer: str, algebra: Algebra) -> bool | None:
    expected, said = structure.bracketed(gold), structure.bracketed(structure.named(answer)[1])
    if expected is None and said is None:
        return None
    if expected is None or said is None or len(expected.parts) == 1 or len(said.parts) == 1:
        return _unbracketed(gold, answer, algebra)
    if expected[:2] != said[:2] or len(expected.parts) != len(said.parts) or len(said.parts) > MOST_PARTS:
        return False
    return all(_equal(g, a, algebra) for g, a in zip(expected.parts, said.parts, strict=True))


def _unbracketed(gold: str, answer: str, algebra: Algebra) -> bool | None:
    """(5) is 5; a tuple is not a value, except that an interval may be written as an inequality."""
    plain_gold, plain_answer = _peel(gold), _peel(answer)
    if (plain_gold, plain_answer) != (gold, answer):
        return _equal(plain_gold, plain_answer, algebra)
    several = [around is not None and len(around.parts) > 1 for around in map(structure.bracketed, (gold, answer))]
    if any(several) and not (structure.RELATION.search(gold) or structure.RELATION.search(answer)):
        return False if structure.named(gold)[0] is None else None
    return None


def _peel(text: str) -> str:
    around = structure.bracketed(text)
    return around.parts[0] if around and around[:2] == ("(", ")") and len(around.parts) == 1 else text


def _names(gold: str, answer: str, algebra: Algebra) -> bool | None:
    """x = 5 against 5; a chain must be equal to the gold in every part."""
    if structure.RELATION.search(gold + answer):
        return None
    (gold_name, gold_value), (name, value) = structure.named(gold), structure.named(answer)
    if "=" in gold and gold_name is None:
        return None if "=" in answer else False
    if gold_name is not None and name is not None and "=" in gold:
        return _equal(gold_value, value, algebra) if name == gold_name else None
    if gold_name is not None and name is None and "=" in answer:
        return None
    if gold_name is not None:
        return _equal(gold_value, answer, algebra)
    while name is not None and structure.named(value)[0] is not None:
        value = structure.named(value)[1]  # x = y = 5
    pieces = [piece for piece in value.split("=") if piece.strip()]
    exact = structure.APPROXIMATE.split(pieces[-1])
    if name is None and len(pieces) == 1 and len(exact) == 1:
        return None
    values = [*pieces[:-1], exact[0]]
    return all(_equal(gold, piece.strip(), algebra) for piece in values)


def _quantities(gold: Quantity, answer: Quantity, algebra: Algebra) -> bool:
    if "percent" in (gold.unit, answer.unit):
        return _percent(gold, answer, algebra)
    return agree(gold, answer) and _values(gold.value, answer.value, algebra)


def _percent(gold: Quantity, answer: Quantity, algebra: Algebra) -> bool:
    if gold.unit == answer.unit:
        return _values(gold.value, answer.value, algebra)
    if None not in (gold.unit, answer.unit):
        return False
    left, right = number.value(gold.value), number.value(answer.value)
    if left is None or right is None:
        return False
    if gold.unit == "percent":
        return right in (left, left / 100)
    return right == 100 * left or (left == right and left.denominator == 1)


def _values(gold: str, answer: str, algebra: Algebra) -> bool:
    if gold == answer:
        return True
    if EMPTY in gold + answer:  # algebra takes {∅} for ∅
        return False
    gold_base, base = BASE.fullmatch(gold), BASE.fullmatch(answer)
    if gold_base or base:
        return _bases(gold_base, base, gold, answer)
    expected = number.value(gold)
    if expected is not None:
        return number.value(answer) == expected
    return algebra(gold, answer)


def _bases(gold_base: re.Match[str] | None, base: re.Match[str] | None, gold: str, answer: str) -> bool:
    """1011_2 is 1011 and 1011_{\\text{two}}, not 1011_3."""
    if gold_base and base and _base(gold_base) != _base(base):
        return False
    left, right = (found[1] if found else text for found, text in ((gold_base, gold), (base, answer)))
    return left.lower().lstrip("0") == right.lower().lstrip("0")


def _base(found: re.Match[str]) -> str:
    return BASE_NAMES.get(found[2].lower(), found[2])

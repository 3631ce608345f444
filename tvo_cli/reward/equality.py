r"""When two answers are equal: each is read by its type, and like is compared with like.

A false accept costs more than a false reject. Words, colons, "and" and "or" never reach the algebra: what is left
with words in it is a phrase, whose words and values must be the same in the same order.

The rules stand in RULES, in their order; each gives its verdict or None for "not mine".
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence

from tvo_cli.reward.answer_limits import canonical, defect
from tvo_cli.reward.answers import (
    choice,
    clock,
    collection,
    congruence,
    date,
    naming,
    number,
    numeral,
    ratio,
    reals,
    structure,
    words,
)
from tvo_cli.reward.answers.compound import compound, same_compound
from tvo_cli.reward.answers.unit import Quantity, agree, quantity

Algebra = Callable[[str, str], bool]
Same = Callable[[str, str], bool]
FRACTION = re.compile(r"-?\\frac\{[^{}]+\}\{[^{}]+\}|-?[\w.]+/[\w.]+")
EMPTY = "\\emptyset"
DOTS = "\\ldots"
MONEY = {(("cent", 1),), (("dollar", 1),)}  # $0.50 is 50 cents, as 5 cm is not 50 mm
MARKED = re.compile(r"(?:\\circ ?|\d')\s?\d")  # 40° 30 and 8' 3: algebra would multiply them


class Undecided(Exception):
    """Only algebra can tell."""


def undecided(gold: str, answer: str) -> bool:
    """The algebra of a process that has none."""
    raise Undecided


def equal(gold: str, answer: str, algebra: Algebra) -> bool:
    """Whether the answer is the gold; `algebra(gold, answer)` is asked for single expressions only."""
    if defect(gold) or defect(answer):
        return False
    try:
        return _equal(words.meaning(canonical(gold)), words.meaning(canonical(answer)), algebra)
    except RecursionError:  # text that no rule takes apart is equal to nothing; in a child it counts as a failure
        if algebra is undecided:
            return False
        raise


def is_list(gold: str) -> bool:
    """Whether a gold states several values side by side."""
    return not defect(gold) and len(collection.parts(canonical(gold))) > 1


def is_choice(gold: str) -> bool:
    """Whether a gold is the letter of a multiple choice."""
    return not defect(gold) and choice.choices(canonical(gold)) is not None


def _equal(gold: str, answer: str, algebra: Algebra) -> bool:
    if not answer or not gold:
        return False
    if gold == answer:
        return True

    def same(left: str, right: str) -> bool:
        return _equal(left, right, algebra)

    for rule in RULES:
        verdict = rule(gold, answer, same)
        if verdict is not None:
            return verdict
    both = bool(structure.variables(gold) and structure.variables(answer))  # 7 m^2 may be 7m²
    return _quantities(quantity(gold, letters=both), quantity(answer, letters=both), algebra)


def _choices(gold: str, answer: str, same: Same) -> bool | None:
    """C is (C), and (C) with the text of the option; A, B is B, A."""
    expected, said = choice.choices(gold), choice.choices(answer)
    if expected is not None and said is not None:
        return expected == said
    letter = choice.choice(gold), choice.choice(answer)
    option = choice.option(gold) if choice.labelled(answer) is None and letter[1] is None else None
    if option is not None and not any(letter):
        return same(option, answer)
    labels = letter[0] or choice.labelled(gold), letter[1] or choice.labelled(answer)
    return labels[0] == labels[1] if any(letter) and all(labels) else None


def _texts(gold: str, answer: str, same: Same) -> bool | None:
    expected, said = words.words(gold), words.words(answer)
    if expected is None or said is None:
        return None if expected is said else False
    return words.same_words(expected, said)


def _times(gold: str, answer: str, same: Same) -> bool | None:
    expected, said = clock.read(gold), clock.read(answer)
    if expected is not None and said is not None:
        return clock.same(expected, said)
    if expected is not None and not expected.is_sure and "\\text{to}" in answer:
        return None  # 1:25 and 1 to 25 are ratios
    return None if expected is None and (said is None or not said.is_sure) else False


def _dates(gold: str, answer: str, same: Same) -> bool | None:
    """July 4th is 4 July; a day with its year is not one without."""
    expected, said = date.read(gold), date.read(answer)
    return expected == said if expected is not None and said is not None else None


def _ratios(gold: str, answer: str, same: Same) -> bool | None:
    """3:2 is 6:4 and the fraction 3/2, not 1.5; a ratio is not the answer to a number."""
    expected, said = ratio.read(gold), ratio.read(answer)
    if expected is None:
        return None if said is None else _spoken_ratio(gold, said)
    if said is None and len(expected) == 2 and FRACTION.fullmatch(answer):
        return same(rf"\frac{{{expected[0]}}}{{{expected[1]}}}", answer)
    if said is None:
        return _spoken_ratio(answer, expected)
    return ratio.same(expected, said, same)


def _spoken_ratio(text: str, terms: Sequence[str]) -> bool:
    """3 to 5 is 3:5."""
    return text.replace("\\text{to}", ":").split(":") == list(terms)


def _congruences(gold: str, answer: str, same: Same) -> bool | None:
    expected, said = congruence.read(gold), congruence.read(answer)
    if expected is None and said is None:
        return None
    return expected is not None and said is not None and congruence.same(expected, said)


def _reals(gold: str, answer: str, same: Same) -> bool | None:
    """Intervals, inequalities and set-builders as sets of real numbers, where one of the two is surely one."""
    sure = reals.is_sure(gold), reals.is_sure(answer)
    if not any(sure):
        return None
    expected, said = reals.read(gold), reals.read(answer)
    if expected is not None and said is not None:
        return reals.same(expected, said, same)
    if (expected or said) and reals.NUMBER_SET.match(gold if expected is None else answer):
        return False
    if reals.BUILDER.fullmatch(gold) or reals.BUILDER.fullmatch(answer):
        return False
    return None


def _compounds(gold: str, answer: str, same: Same) -> bool | None:
    """3 hours 20 minutes by the sum of its parts, 3 red and 2 blue part by part."""
    expected, said = compound(gold), compound(answer)
    if expected is None and said is None:
        return None
    if expected is None or said is None:
        single = quantity(gold if expected is None else answer)
        parts = (single,) if single.unit is not None else ()
        expected, said = expected or parts, said or parts
    return same_compound(expected, said, same)


def _phrases(gold: str, answer: str, same: Same) -> bool | None:
    """Row 5, column 2: the same words and values in turn, whatever the commas."""
    if "\\text" not in gold or "\\text" not in answer or quantity(gold).unit is not None:
        return None
    return words.same_phrase(gold, answer, operator.eq) or None


def _numerals(gold: str, answer: str, same: Same) -> bool | None:
    """1011_2 is 1011 and 1011_{two}, not 1011_3; the 12th is 12."""
    expected, said = numeral.read(gold), numeral.read(answer)
    if expected is not None or said is not None:
        expected, said = expected or numeral.unbased(gold), said or numeral.unbased(answer)
        return expected is not None and said is not None and numeral.same(expected, said)
    plain = numeral.ordinal(gold), numeral.ordinal(answer)
    if plain == (gold, answer):
        return None
    return all(quantity(text).unit is None for text in plain) and same(*plain)  # the 3rd is not 3 cm


def _quantities(gold: Quantity, answer: Quantity, algebra: Algebra) -> bool:
    if (("percent", 1),) in (gold.unit, answer.unit):
        return _percent(gold, answer, algebra)
    if (gold.unit or answer.unit) and agree(gold, answer):
        return _values(gold.value, answer.value, algebra)
    if gold.unit or answer.unit:
        return {gold.unit, answer.unit} == MONEY and same_compound((gold,), (answer,), lambda g, a: False)
    return _values(gold.value, answer.value, algebra)


def _percent(gold: Quantity, answer: Quantity, algebra: Algebra) -> bool:
    if gold.unit == answer.unit:
        return _values(gold.value, answer.value, algebra)
    if None not in (gold.unit, answer.unit):
        return False
    left, right = number.value(gold.value), number.value(answer.value)
    if left is None or right is None:
        return False
    if gold.unit is not None:
        return right in (left, left / 100)
    return right == 100 * left or (left == right and left.denominator == 1)


def _values(gold: str, answer: str, algebra: Algebra) -> bool:
    if gold == answer:
        return True
    if EMPTY in gold + answer or DOTS in gold + answer:  # algebra takes {∅} for ∅
        return False
    if "\\text" in gold + answer:
        return words.same_phrase(gold, answer, lambda g, a: _equal(g, a, algebra))
    if ":" in gold + answer or MARKED.search(gold) or MARKED.search(answer) or "\\ne" in answer[:3]:
        return False
    expected = number.value(gold)
    if expected is not None:
        return number.value(answer) == expected
    return algebra(gold, answer)


RULES = (
    *(_choices, naming.labels, _dates, _times, _texts, _ratios, _congruences, _compounds, _phrases, naming.conditions),
    *(_reals, collection.lists, collection.unions, collection.points, collection.brackets, naming.names, _numerals),
)

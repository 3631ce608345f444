r"""When two answers are equal: each is read by its type, and like is compared with like.

A false accept costs more than a false reject. Words, colons, "and" and "or" never reach the algebra: what is left
with words in it is a phrase, whose words and values must be the same in the same order.

The rules stand in RULES, in their order; each gives its verdict or None for "not mine".
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence

from tvo_cli.reward.answers import choice, clock, congruence, number, numeral, ratio, reals, structure, words
from tvo_cli.reward.answers.compound import compound, same_compound
from tvo_cli.reward.answers.unit import Quantity, agree, quantity
from tvo_cli.reward.normal import canonical, defect

Algebra = Callable[[str, str], bool]
PLUS_MINUS = re.compile(r"\\pm(?![a-zA-Z])\s*")
CONDITION = re.compile(
    r"(.+?),?\s*\\text\{(?:for|where|when|if|with|provided|whenever|given|assuming|as long as)\b[^{}]*\}(.*)", re.DOTALL
)
LIMITED = re.compile(rf"{structure.RELATION.pattern}|\\in(?![a-zA-Z])")
BEHIND = re.compile(r"(.+)\(([^()]*(?:<|>|\\(?:le|ge|ne)(?![a-zA-Z]))[^()]*)\)", re.DOTALL)
POINT = re.compile(r"([A-Z])'*=?(\(.+\))")
FRACTION = re.compile(r"-?\\frac\{[^{}]+\}\{[^{}]+\}|-?[\w.]+/[\w.]+")
MOST_PARTS = 40
EMPTY = "\\emptyset"
DOTS = "\\ldots"


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
    return not defect(gold) and len(_parts(canonical(gold))) > 1


def is_choice(gold: str) -> bool:
    """Whether a gold is the letter of a multiple choice."""
    return not defect(gold) and choice.choices(canonical(gold)) is not None


def _equal(gold: str, answer: str, algebra: Algebra) -> bool:
    if not answer or not gold:
        return False
    if gold == answer:
        return True
    for rule in RULES:
        verdict = rule(gold, answer, algebra)
        if verdict is not None:
            return verdict
    both = bool(structure.variables(gold) and structure.variables(answer))  # 7 m^2 may be 7m²
    return _quantities(quantity(gold, letters=both), quantity(answer, letters=both), algebra)


def _choices(gold: str, answer: str, algebra: Algebra) -> bool | None:
    """C is (C), and (C) with the text of the option; A, B is B, A."""
    expected, said = choice.choices(gold), choice.choices(answer)
    if expected is not None and said is not None:
        return expected == said
    letter = choice.choice(gold), choice.choice(answer)
    labels = letter[0] or choice.labelled(gold), letter[1] or choice.labelled(answer)
    return labels[0] == labels[1] if any(letter) and all(labels) else None


def _labels(gold: str, answer: str, algebra: Algebra) -> bool | None:
    """A label before an answer is none of it; two labels must be the same."""
    (gold_label, expected), (label, said) = words.unlabelled(gold), words.unlabelled(answer)
    if (expected, said) == (gold, answer):
        return None
    if gold_label and label and not words.same_words(gold_label, label):
        return False
    return _equal(expected, said, algebra)


def _texts(gold: str, answer: str, algebra: Algebra) -> bool | None:
    expected, said = words.words(gold), words.words(answer)
    if expected is None or said is None:
        return None if expected is said else False
    return words.same_words(expected, said)


def _times(gold: str, answer: str, algebra: Algebra) -> bool | None:
    expected, said = clock.read(gold), clock.read(answer)
    if expected is not None and said is not None:
        return clock.same(expected, said)
    return None if expected is None and (said is None or not said.is_sure) else False


def _ratios(gold: str, answer: str, algebra: Algebra) -> bool | None:
    """3:2 is 6:4 and the fraction 3/2, not 1.5; a ratio is not the answer to a number."""
    expected, said = ratio.read(gold), ratio.read(answer)
    if expected is None:
        return None if said is None else _spoken_ratio(gold, said)
    if said is None and len(expected) == 2 and FRACTION.fullmatch(answer):
        return _equal(rf"\frac{{{expected[0]}}}{{{expected[1]}}}", answer, algebra)
    if said is None:
        return _spoken_ratio(answer, expected)
    return ratio.same(expected, said, algebra)


def _spoken_ratio(text: str, terms: Sequence[str]) -> bool:
    """3 to 5 is 3:5."""
    return text.replace("\\text{to}", ":").split(":") == list(terms)


def _congruences(gold: str, answer: str, algebra: Algebra) -> bool | None:
    expected, said = congruence.read(gold), congruence.read(answer)
    if expected is None and said is None:
        return None
    return expected is not None and said is not None and congruence.same(expected, said)


def _conditions(gold: str, answer: str, algebra: Algebra) -> bool | None:
    """A condition on the letters of an expression may be left out; two conditions must be the same."""
    (expected, gold_condition), (said, condition) = _conditional(gold), _conditional(answer)
    if not gold_condition and not condition:
        return None
    if gold_condition and condition and not _equal(gold_condition, condition, algebra):
        return False
    return _equal(expected, said, algebra)


def _conditional(text: str) -> tuple[str, str]:
    r"""("n(n+1)", "n\ge 1") of n(n+1), n\ge 1; (text, "") where nothing is conditional."""
    found = CONDITION.fullmatch(text)
    behind = BEHIND.fullmatch(text)
    parts = structure.divided(text)
    if found is not None and found[1].strip():
        value, condition = found[1].strip(), text[len(found[1]) :].lstrip(", ")
    elif len(parts.parts) == 2 and parts.joins == {","} and LIMITED.search(parts.parts[1]):
        value, condition = parts.parts
    elif behind is not None:
        value, condition = behind.groups()
    else:
        return text, ""
    own = structure.variables(value) & structure.variables(condition) - {"e", "i"}
    return (value, condition) if own and not reals.is_relation(value) else (text, "")


def _reals(gold: str, answer: str, algebra: Algebra) -> bool | None:
    """Intervals, inequalities and set-builders as sets of real numbers, where one of the two is surely one."""
    sure = reals.is_sure(gold), reals.is_sure(answer)
    if not any(sure):
        return None
    expected, said = reals.read(gold), reals.read(answer)
    if expected is not None and said is not None:
        return reals.same(expected, said, lambda g, a: _equal(g, a, algebra))
    if reals.BUILDER.fullmatch(gold) or reals.BUILDER.fullmatch(answer):
        return False
    return None


def _compounds(gold: str, answer: str, algebra: Algebra) -> bool | None:
    """3 hours 20 minutes by the sum of its parts, 3 red and 2 blue part by part."""
    expected, said = compound(gold), compound(answer)
    if expected is None and said is None:
        return None
    if expected is None or said is None:
        single = quantity(gold if expected is None else answer)
        parts = (single,) if single.unit is not None else ()
        expected, said = expected or parts, said or parts
    return same_compound(expected, said, lambda g, a: _equal(g, a, algebra))


def _phrases(gold: str, answer: str, algebra: Algebra) -> bool | None:
    """Row 5, column 2: the same words and values in turn, whatever the commas."""
    if "\\text" not in gold or "\\text" not in answer or quantity(gold).unit is not None:
        return None
    return words.same_phrase(gold, answer, operator.eq) or None


def _lists(gold: str, answer: str, algebra: Algebra) -> bool | None:
    expected, said = _parts(gold), _parts(answer)
    if (expected, said) in (((gold,), (answer,)), ((), (answer,)), ((gold,), ())):
        return None
    joins = structure.divided(gold).joins, structure.divided(answer).joins
    if len(expected) == 1 and joins[1] == {"or"}:
        return all(_equal(gold, part, algebra) for part in said)  # one value in two spellings
    if len(expected) != len(said):
        return _coordinates(gold, answer, algebra)
    if len(said) > MOST_PARTS or _joined_otherwise(expected, said, *joins):
        return False
    if DOTS in expected or DOTS in said or _ordered(expected, said):
        return all(_equal(g, a, algebra) for g, a in zip(expected, said, strict=True))
    return _same_members(expected, said, algebra)


def _parts(text: str) -> tuple[str, ...]:
    """The values side by side: of 1, 2; of {1, 2}; of 3 ± 1; of x = 1, 2; of S = {1, 2}."""
    name, value = structure.named(text)
    around = structure.bracketed(value if name is not None else text)
    if around is not None and around.opening == "\\{" and not reals.BUILDER.fullmatch(value):
        return _signed(around.parts) if around.parts != (EMPTY,) else (text,)
    return _signed(structure.divided(text).parts) if structure.bracketed(text) is None else (text,)


def _signed(parts: Sequence[str]) -> tuple[str, ...]:
    """Each part with one ± as two; without doubles that this makes."""
    signed: list[str] = []
    for part in parts:
        pair = [PLUS_MINUS.sub(sign, part) for sign in "+-"] if len(PLUS_MINUS.findall(part)) == 1 else [part]
        signed += [re.sub(r"(^|=)\+", r"\1", each) for each in pair]
    return tuple(signed)


def _joined_otherwise(
    expected: Sequence[str], said: Sequence[str], gold_joins: frozenset[str], joins: frozenset[str]
) -> bool:
    """Whether "and" stands for "or" where it matters: between inequalities, and between values of several names."""
    parts = [*expected, *said]
    names = {structure.named(part)[0] for part in parts} - {None}
    if not any(map(reals.is_relation, parts)) and len(names) < 2:
        return False
    if any(map(reals.is_relation, parts)):
        return gold_joins != joins
    return ("or" in gold_joins) != ("or" in joins)


def _ordered(expected: Sequence[str], said: Sequence[str]) -> bool:
    """Names on one side only: x = 1, y = 2 is 1, 2 in this order."""
    names = [{structure.named(part)[0] for part in side} - {None} for side in (expected, said)]
    return any(len(own) > 1 and not other for own, other in (names, names[::-1]))


def _coordinates(gold: str, answer: str, algebra: Algebra) -> bool:
    """(1, 2) is x = 1, y = 2."""
    for point, named in ((gold, answer), (answer, gold)):
        around = structure.bracketed(point)
        pairs = [structure.named(part) for part in structure.divided(named).parts]
        if around is None or around.opening != "(" or around.closing != ")" or len(pairs) < 2:
            continue
        names = [name for name, _ in pairs if name is not None]
        if len({*names}) == len(pairs) == len(around.parts) and "or" not in structure.divided(named).joins:
            values = [value for _, value in sorted(pairs, key=lambda pair: pair[0] or "")]
            return all(_equal(g, a, algebra) for g, a in zip(around.parts, values, strict=True))
    return False


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
    expected, said = (structure.split(structure.named(text)[1], r"\\cup(?![a-zA-Z])") for text in (gold, answer))
    if len(expected) < 2 and len(said) < 2:
        return None
    return len(expected) == len(said) <= MOST_PARTS and _same_members(expected, said, algebra)


def _points(gold: str, answer: str, algebra: Algebra) -> bool | None:
    """P(1, 2) is (1, 2), and not Q(1, 2)."""
    expected, said = POINT.fullmatch(gold), POINT.fullmatch(answer)
    if not (expected or said) or (expected and said and expected[1] != said[1]):
        return None
    values = [found[2] if found else text for found, text in ((expected, gold), (said, answer))]
    around = [structure.bracketed(value) for value in values]
    if not all(each is not None and len(each.parts) > 1 for each in around):
        return None
    return _equal(values[0], values[1], algebra)


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
    if any(several) and not (reals.is_relation(gold) or reals.is_relation(answer)):
        return False if structure.named(gold)[0] is None else None
    return None


def _peel(text: str) -> str:
    around = structure.bracketed(text)
    return around.parts[0] if around and around[:2] == ("(", ")") and len(around.parts) == 1 else text


def _names(gold: str, answer: str, algebra: Algebra) -> bool | None:
    """x = 5 against 5; a chain must be equal to the gold in every part."""
    if reals.is_relation(gold + answer):
        return None
    (gold_name, gold_value), (name, value) = structure.named(gold), structure.named(answer)
    is_equation = structure.is_equation(answer)
    if structure.is_equation(gold) and gold_name is None:
        return None if is_equation else False
    if gold_name is not None and name is not None and structure.is_equation(gold):
        return _equal(gold_value, value, algebra) if name == gold_name else None
    if gold_name is not None and name is None and is_equation:
        return None
    if gold_name is not None:
        return _equal(gold_value, answer, algebra)
    return _chain(gold, answer if name is None else value, algebra, named=name is not None)


def _chain(gold: str, answer: str, algebra: Algebra, *, named: bool) -> bool | None:
    """The parts of a = b = c ≈ d that are no names, all equal to the gold; what is only near is not looked at."""
    pieces = [piece for piece in structure.split(answer, "=") if piece]
    while len(pieces) > 1 and structure.names_quantity(pieces[0]):
        pieces, named = pieces[1:], True
    exact = structure.APPROXIMATE.split(pieces[-1]) if pieces else [""]
    if not named and len(pieces) == 1 and len(exact) == 1:
        return None
    values = [*pieces[:-1], exact[0]]
    return all(_equal(gold, piece, algebra) for piece in values)


def _numerals(gold: str, answer: str, algebra: Algebra) -> bool | None:
    """1011_2 is 1011 and 1011_{two}, not 1011_3; the 12th is 12."""
    expected, said = numeral.read(gold), numeral.read(answer)
    if expected is not None or said is not None:
        expected, said = expected or numeral.unbased(gold), said or numeral.unbased(answer)
        return expected is not None and said is not None and numeral.same(expected, said)
    plain = numeral.ordinal(gold), numeral.ordinal(answer)
    return _equal(*plain, algebra) if plain != (gold, answer) else None


def _quantities(gold: Quantity, answer: Quantity, algebra: Algebra) -> bool:
    if (("percent", 1),) in (gold.unit, answer.unit):
        return _percent(gold, answer, algebra)
    if (gold.unit or answer.unit) and agree(gold, answer):
        return _values(gold.value, answer.value, algebra)
    if gold.unit or answer.unit:
        return False
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
    if ":" in gold + answer or "\\ne" in answer[:3]:
        return False
    expected = number.value(gold)
    if expected is not None:
        return number.value(answer) == expected
    return algebra(gold, answer)


RULES = (
    *(_choices, _labels, _times, _texts, _ratios, _congruences, _compounds, _phrases, _conditions, _reals),
    *(_lists, _unions, _points, _brackets, _names, _numerals),
)

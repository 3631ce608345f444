r"""When two answers are equal: each is read by its type, and like is compared with like.

A false accept costs more than a false reject. Words, colons, "and" and "or" never reach the algebra: what is left
with words in it is a phrase, whose words and values must be the same in the same order.

The rules stand in RULES, in their order; each gives its verdict or None for "not mine".
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence

from tvo_cli.reward.answer_limits import answer_defect
from tvo_cli.reward.answers import (
    answer_structure,
    answers_in_words,
    bases_and_ordinals,
    calendar_date,
    congruence,
    exact_number,
    labels_and_conditions,
    lists_and_tuples,
    multiple_choice,
    ratio,
    sets_of_reals,
    time_of_day,
)
from tvo_cli.reward.answers.canonical_text import LONGEST, canonical_text
from tvo_cli.reward.answers.compound_quantity import read_compound_quantity, same_compound_quantity
from tvo_cli.reward.answers.quantity import Quantity, read_quantity, units_agree

Algebra = Callable[[str, str], bool]
Same = Callable[[str, str], bool]
FRACTION = re.compile(r"-?\\frac\{[^{}]+\}\{[^{}]+\}|-?[\w.]+/[\w.]+")
EMPTY = "\\emptyset"
DOTS = "\\ldots"
MONEY = {(("cent", 1),), (("dollar", 1),)}  # $0.50 is 50 cents, as 5 cm is not 50 mm
MARKED = re.compile(r"(?:\\circ ?|\d')\s?\d")  # 40° 30 and 8' 3: algebra would multiply them


class NeedsAlgebra(Exception):
    """Only algebra can tell."""


def no_algebra(gold: str, answer: str) -> bool:
    """The algebra of a process that has none."""
    raise NeedsAlgebra


def equal_answers(gold: str, answer: str, algebra: Algebra) -> bool:
    """Whether the answer is the gold; `algebra(gold, answer)` is asked for single expressions only."""
    if answer_defect(gold) or answer_defect(answer):
        return False
    if max(len(gold), len(answer)) > LONGEST:
        return exact_number.normalize_decimal(gold.strip()) == exact_number.normalize_decimal(answer.strip())
    try:
        return _apply_rules(
            answers_in_words.meaning_of_words(canonical_text(gold)),
            answers_in_words.meaning_of_words(canonical_text(answer)),
            algebra,
        )
    except RecursionError:  # text that no rule takes apart is equal to nothing; in a child it counts as a failure
        if algebra is no_algebra:
            return False
        raise


def is_list_gold(gold: str) -> bool:
    """Whether a gold is compared as a list: it states several values side by side."""
    return (
        len(gold) <= LONGEST
        and not answer_defect(gold)
        and len(lists_and_tuples.list_members(canonical_text(gold))) > 1
    )


def is_choice_gold(gold: str) -> bool:
    """Whether a gold is the letter of a multiple choice."""
    is_read = len(gold) <= LONGEST and not answer_defect(gold)
    return is_read and multiple_choice.read_choice_letters(canonical_text(gold)) is not None


def _apply_rules(gold: str, answer: str, algebra: Algebra) -> bool:
    if not answer or not gold:
        return False
    if gold == answer:
        return True

    def same(left: str, right: str) -> bool:
        return _apply_rules(left, right, algebra)

    for rule in RULES:
        verdict = rule(gold, answer, same)
        if verdict is not None:
            return verdict
    both = bool(
        answer_structure.letters_of_expression(gold) and answer_structure.letters_of_expression(answer)
    )  # 7 m^2 may be 7m²
    return _quantity_rule(read_quantity(gold, letters=both), read_quantity(answer, letters=both), algebra)


def _choice_rule(gold: str, answer: str, same: Same) -> bool | None:
    """C is (C), and (C) with the text of the option; A, B is B, A."""
    expected, said = multiple_choice.read_choice_letters(gold), multiple_choice.read_choice_letters(answer)
    if expected is not None and said is not None:
        return expected == said
    letter = multiple_choice.read_single_choice(gold), multiple_choice.read_single_choice(answer)
    option = (
        multiple_choice.read_option_text(gold)
        if multiple_choice.read_option_letter(answer) is None and letter[1] is None
        else None
    )
    if option is not None and not any(letter):
        return same(option, answer)
    labels = (
        letter[0] or multiple_choice.read_option_letter(gold),
        letter[1] or multiple_choice.read_option_letter(answer),
    )
    return labels[0] == labels[1] if any(letter) and all(labels) else None


def _text_rule(gold: str, answer: str, same: Same) -> bool | None:
    expected, said = answers_in_words.read_text_answer(gold), answers_in_words.read_text_answer(answer)
    if expected is None or said is None:
        return None if expected is said else False
    return answers_in_words.same_text_answer(expected, said)


def _time_rule(gold: str, answer: str, same: Same) -> bool | None:
    expected, said = time_of_day.read_time(gold), time_of_day.read_time(answer)
    if expected is not None and said is not None:
        return time_of_day.same_time(expected, said)
    if expected is not None and not expected.is_sure and "\\text{to}" in answer:
        return None  # 1:25 and 1 to 25 are ratios
    return None if expected is None and (said is None or not said.is_sure) else False


def _date_rule(gold: str, answer: str, same: Same) -> bool | None:
    """July 4th is 4 July; a day with its year is not one without."""
    expected, said = calendar_date.read_date(gold), calendar_date.read_date(answer)
    return expected == said if expected is not None and said is not None else None


def _ratio_rule(gold: str, answer: str, same: Same) -> bool | None:
    """3:2 is 6:4 and the fraction 3/2, not 1.5; a ratio is not the answer to a number."""
    expected, said = ratio.read_ratio(gold), ratio.read_ratio(answer)
    if expected is None:
        return None if said is None else _is_spoken_ratio(gold, said)
    if said is None and len(expected) == 2 and FRACTION.fullmatch(answer):
        return same(rf"\frac{{{expected[0]}}}{{{expected[1]}}}", answer)
    if said is None:
        return _is_spoken_ratio(answer, expected)
    return ratio.same_ratio(expected, said, same)


def _is_spoken_ratio(text: str, terms: Sequence[str]) -> bool:
    """3 to 5 is 3:5."""
    return text.replace("\\text{to}", ":").split(":") == list(terms)


def _congruence_rule(gold: str, answer: str, same: Same) -> bool | None:
    expected, said = congruence.read_congruence(gold), congruence.read_congruence(answer)
    if expected is None and said is None:
        return None
    return expected is not None and said is not None and congruence.same_congruence(expected, said)


def _real_set_rule(gold: str, answer: str, same: Same) -> bool | None:
    """Intervals, inequalities and set-builders as sets of real numbers, where one of the two is surely one."""
    sure = sets_of_reals.is_surely_real_set(gold), sets_of_reals.is_surely_real_set(answer)
    if not any(sure):
        return None
    expected, said = sets_of_reals.read_real_set(gold), sets_of_reals.read_real_set(answer)
    if expected is not None and said is not None:
        return sets_of_reals.same_real_set(expected, said, same)
    if (expected or said) and sets_of_reals.NUMBER_SET.match(gold if expected is None else answer):
        return False
    if sets_of_reals.BUILDER.fullmatch(gold) or sets_of_reals.BUILDER.fullmatch(answer):
        return False
    return None


def _compound_quantity_rule(gold: str, answer: str, same: Same) -> bool | None:
    """3 hours 20 minutes by the sum of its parts, 3 red and 2 blue part by part."""
    expected, said = read_compound_quantity(gold), read_compound_quantity(answer)
    if expected is None and said is None:
        return None
    if expected is None or said is None:
        single = read_quantity(gold if expected is None else answer)
        parts = (single,) if single.unit is not None else ()
        expected, said = expected or parts, said or parts
    return same_compound_quantity(expected, said, same)


def _phrase_rule(gold: str, answer: str, same: Same) -> bool | None:
    """Row 5, column 2: the same words and values in turn, whatever the commas."""
    if "\\text" not in gold or "\\text" not in answer or read_quantity(gold).unit is not None:
        return None
    return answers_in_words.same_phrase(gold, answer, operator.eq) or None


def _numeral_rule(gold: str, answer: str, same: Same) -> bool | None:
    """1011_2 is 1011 and 1011_{two}, not 1011_3; the 12th is 12."""
    expected, said = bases_and_ordinals.read_number_in_base(gold), bases_and_ordinals.read_number_in_base(answer)
    if expected is not None or said is not None:
        expected, said = (
            expected or bases_and_ordinals.read_number_without_base(gold),
            said or bases_and_ordinals.read_number_without_base(answer),
        )
        return expected is not None and said is not None and bases_and_ordinals.same_number_in_base(expected, said)
    plain = bases_and_ordinals.strip_ordinal_suffix(gold), bases_and_ordinals.strip_ordinal_suffix(answer)
    if plain == (gold, answer):
        return None
    return all(read_quantity(text).unit is None for text in plain) and same(*plain)  # the 3rd is not 3 cm


def _quantity_rule(gold: Quantity, answer: Quantity, algebra: Algebra) -> bool:
    if (("percent", 1),) in (gold.unit, answer.unit):
        return _percentage_rule(gold, answer, algebra)
    if (gold.unit or answer.unit) and units_agree(gold, answer):
        return _value_rule(gold.value, answer.value, algebra)
    if gold.unit or answer.unit:
        return {gold.unit, answer.unit} == MONEY and same_compound_quantity((gold,), (answer,), lambda g, a: False)
    return _value_rule(gold.value, answer.value, algebra)


def _percentage_rule(gold: Quantity, answer: Quantity, algebra: Algebra) -> bool:
    """The rule by which answers with and without % are equal: 50% is 0.5, and 50 where the gold says %."""
    if gold.unit == answer.unit:
        return _value_rule(gold.value, answer.value, algebra)
    if None not in (gold.unit, answer.unit):
        return False
    left, right = exact_number.parse_number(gold.value), exact_number.parse_number(answer.value)
    if left is None or right is None:
        return False
    if gold.unit is not None:
        return right in (left, left / 100)
    return right == 100 * left or (left == right and left.denominator == 1)


def _value_rule(gold: str, answer: str, algebra: Algebra) -> bool:
    if gold == answer:
        return True
    if EMPTY in gold + answer or DOTS in gold + answer:  # algebra takes {∅} for ∅
        return False
    if "\\text" in gold + answer:
        return answers_in_words.same_phrase(gold, answer, lambda g, a: _apply_rules(g, a, algebra))
    if ":" in gold + answer or MARKED.search(gold) or MARKED.search(answer) or "\\ne" in answer[:3]:
        return False
    expected = exact_number.parse_number(gold)
    if expected is not None:
        return exact_number.parse_number(answer) == expected
    return algebra(gold, answer)


RULES = (
    *(
        _choice_rule,
        labels_and_conditions.equal_without_labels,
        _date_rule,
        _time_rule,
        _text_rule,
        _ratio_rule,
        _congruence_rule,
        _compound_quantity_rule,
        _phrase_rule,
        labels_and_conditions.equal_with_conditions,
    ),
    *(
        _real_set_rule,
        lists_and_tuples.equal_lists,
        lists_and_tuples.equal_unions,
        lists_and_tuples.equal_points_as_tuples,
        lists_and_tuples.equal_tuples,
        labels_and_conditions.equal_named_values,
        _numeral_rule,
    ),
)

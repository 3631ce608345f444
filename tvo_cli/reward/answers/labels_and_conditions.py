r"""Labels before an answer, `name =`, and conditions behind it."""

from __future__ import annotations

import re
from collections.abc import Callable

from tvo_cli.reward.answers import answer_structure, inequalities, text_answers

Same = Callable[[str, str], bool]
CONDITION = re.compile(
    r"(.+?),?\s*(?:\\forall(?![a-z])"
    r"|\\text\{\(?(?:for|where|when|if|with|provided|whenever|given|assuming|as long as)\b[^{}]*\})(.*)",
    re.DOTALL,
)
GRAPHS = [{"y", f"{function}(x)"} for function in "fgh"]  # y = 2x is f(x) = 2x
CASES = re.compile(r"\\text\{[^{}]*\b(?:if|when|otherwise|else)\b[^{}]*\}", re.IGNORECASE)
HEAD = re.compile(
    r"(?:\\forall|\\text\{\(?(?:for|where|when|if|with|provided|whenever|given|as long as)"
    r"(?: (?:all|every|any|that))?\})\s*"
)
BEHIND = re.compile(r"(.+)\(([^()]*(?:<|>|\\(?:le|ge|ne)(?![a-zA-Z]))[^()]*)\)", re.DOTALL)


def equal_without_labels(gold: str, answer: str, same: Same) -> bool | None:
    """A label before an answer is none of it; two labels must be the same."""
    (gold_label, expected), (label, said) = text_answers.split_label(gold), text_answers.split_label(answer)
    if (expected, said) == (gold, answer):
        return None
    if gold_label and label and not text_answers.same_text_answer(gold_label, label):
        return False
    return same(expected, said)


def equal_with_conditions(gold: str, answer: str, same: Same) -> bool | None:
    """A condition on the letters of an expression may be left out; two conditions must be the same."""
    (expected, gold_condition), (said, condition) = _split_condition(gold), _split_condition(answer)
    if not gold_condition and not condition:
        return None
    if gold_condition and condition and not same(HEAD.sub("", gold_condition), HEAD.sub("", condition)):
        return False
    return same(expected, said)


def _split_condition(text: str) -> tuple[str, str]:
    r"""("n(n+1)", "n\ge 1") of n(n+1), n\ge 1; (text, "") where nothing is conditional."""
    if len(CASES.findall(text)) > 1:  # one value under one condition, another under the other
        return text, ""
    found = CONDITION.fullmatch(text)
    behind = BEHIND.fullmatch(text)
    parts = answer_structure.split_at_joins(text)
    if found is not None and found[1].strip():
        value, condition = found[1].strip(), text[len(found[1]) :].lstrip(", ")
    elif len(parts.parts) == 2 and parts.joins == {","} and answer_structure.LIMITED.search(parts.parts[1]):
        value, condition = parts.parts
    elif behind is not None:
        value, condition = behind.groups()
    else:
        return text, ""
    own = answer_structure.letters_of_expression(value) & answer_structure.letters_of_expression(condition) - {"e", "i"}
    return (value, condition) if own and not inequalities.is_inequality(value) else (text, "")


def equal_named_values(gold: str, answer: str, same: Same) -> bool | None:
    """x = 5 against 5; a chain must be equal to the gold in every part."""
    if inequalities.is_inequality(answer_structure.PROBABILITY.sub("P", gold + answer)):
        return None
    (gold_name, gold_value), (name, value) = answer_structure.split_name(gold), answer_structure.split_name(answer)
    is_equation = answer_structure.is_equation(answer)
    if answer_structure.is_equation(gold) and gold_name is None:
        return None if is_equation else False
    if gold_name is not None and name is not None and answer_structure.is_equation(gold):
        if name == gold_name or {name, gold_name} in GRAPHS:
            return same(gold_value, value)
        return False if inequalities.is_inequality(name + gold_name) else None  # P(X < 3) is not P(X > 3)
    if gold_name is not None and name is None and is_equation:
        return None
    if gold_name is not None:
        return same(gold_value, answer)
    return _equal_chain(gold, answer if name is None else value, same, named=name is not None)


def _equal_chain(gold: str, answer: str, same: Same, *, named: bool) -> bool | None:
    """The parts of a = b = c ≈ d that are no names, all equal to the gold; what is only near is not looked at."""
    pieces = [piece for piece in answer_structure.split_outside_brackets(answer, "=") if piece]
    while len(pieces) > 1 and answer_structure.names_quantity(pieces[0]):
        pieces, named = pieces[1:], True
    exact = answer_structure.APPROXIMATE.split(pieces[-1]) if pieces else [""]
    if not named and len(pieces) == 1 and len(exact) == 1:
        return None
    values = [*pieces[:-1], exact[0]]
    return all(same(gold, piece) for piece in values)

r"""Labels before an answer, `name =`, and conditions behind it."""

from __future__ import annotations

import re
from collections.abc import Callable

from tvo_cli.reward.answers import answer_structure, answers_in_words, inequalities, labels_and_conditions
from tvo_cli.reward.answers.answer_structure import NEGATIONS

Same = Callable[[str, str], bool]
SAYS = r"[^{}]*?(?:[A-Za-z]{2,}|答案)(?::| is| are| equals?| will be| gives| is equal to)"
SO = r"(?:[Ss]o|[Tt]hus|[Hh]ence|[Tt]herefore),?"
KINDS = r"(?:[Tt]he )?(?:[Pp]oint|[Vv]ertex|[Cc]ent(?:er|re)|[Ff]ocus|[Ii]nterval|[Ss]et)(?=\}[(\[\\])"
ANSWER = r"(?:[Aa]nswer|答案?[是为]?|[Aa]t(?=\}\())"
LABEL = re.compile(rf"(\\text\{{({SAYS}|{SO}|{KINDS}|{ANSWER})\}}[:=]?)(.+)", re.DOTALL)
DERIVED = re.compile(  # what is done to the answer before the value is said
    r"\b(?:of|to|than|from) (?:(?:the|our) (?:final )?(?:answer|result)|it|that)\b"
    r"|\b(?:double|half|twice|triple|thrice) (?:the|our) (?:final )?(?:answer|result)\b"
    r"|(?:^|\b(?:is|are|equals?) )(?:double|half|twice|triple|minus|negative|over|under|above|below|between):?$",
    re.IGNORECASE,
)
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
    """Compare without labels: one before an answer is none of it; two labels must be the same."""
    (gold_label, expected), (label, said) = (
        labels_and_conditions.split_label(gold),
        labels_and_conditions.split_label(answer),
    )
    if (expected, said) == (gold, answer):
        return None
    if gold_label and label and not answers_in_words.same_text_answer(gold_label, label):
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
    """A value with its name as label: x = 5 against 5; a chain must be equal to the gold in every part."""
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
    """The parts of a = b = c ≈ d that are no labels, all equal to the gold; what is only near is not looked at."""
    pieces = [piece for piece in answer_structure.split_outside_brackets(answer, "=") if piece]
    while len(pieces) > 1 and answer_structure.names_quantity(pieces[0]):
        pieces, named = pieces[1:], True
    exact = answer_structure.APPROXIMATE.split(pieces[-1]) if pieces else [""]
    if not named and len(pieces) == 1 and len(exact) == 1:
        return None
    values = [*pieces[:-1], exact[0]]
    return all(same(gold, piece) for piece in values)


def split_label(text: str) -> tuple[str, str]:
    r"""("vertex", "(1,-2)") of \text{vertex:}(1,-2); ("", text) where there is no label."""
    found = LABEL.fullmatch(text)
    if found is None or NEGATIONS.search(found[2]) or DERIVED.search(found[2]) or not found[3].strip():
        return "", text
    label = re.sub(r"[^a-z ]|\b(?:the|is|are|equals?|final|so|therefore|thus|hence|answer)\b", "", found[2].lower())
    return " ".join(label.split()), found[3].strip()

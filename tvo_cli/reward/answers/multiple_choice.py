r"""Multiple choice: the letters chosen, C, (C), \text{(C) Plane}, "Option C"; several of them are a set."""

from __future__ import annotations

import re

from tvo_cli.reward.answers.answer_structure import TEXT

LETTER = re.compile(r"\(?([A-Z])\)?\.?")
SEVERAL = re.compile(r"\(?[A-Z]\)?(?:(?:, ?(?:and )?| and | & |,|;)\(?[A-Z]\)?)+")
LABELLED = re.compile(
    r"(?:(?:the )?(?:correct )?(?:answer|option|choice)(?: is)?:? ?)?"
    r"(?:\(([A-Z])\)[:.]?|([A-Z])(?:[).:](?=\s*\S))|(?<=[a-z:] )([A-Z])(?![\w'])|([A-Z])(?= ?[(–-] ?[a-z]{3}))\s*(.*)",
    re.DOTALL | re.IGNORECASE,
)
ANOTHER = re.compile(r"\([A-Z]\)|\b(?:or|and|not)\s+\(?[A-Z]\b|(?<![A-Za-z])[B-HJ-Z][).:]\s|^\s*(?:,|/|or\b|and\b|&)")
OPTION = re.compile(r"\\text(?:bf)?\{ ?\(?[A-Z](?:\)[.:]?|[.:]) ?(?:\}|(?=[^{}]*\}))(.*)", re.DOTALL)
OPENING = re.compile(r"[A-Z(aoctAOCT]")


def read_choice_letters(text: str) -> frozenset[str] | None:
    r"""The letters of an answer that is nothing but letters of choices; None for anything else."""
    plain = _without_text_commands(text)
    found = LETTER.fullmatch(plain)
    if found is not None:
        return frozenset(found[1])
    return frozenset(re.findall(r"[A-Z]", plain)) if SEVERAL.fullmatch(plain) else None


def read_single_choice(text: str) -> str | None:
    """The one letter of a multiple choice; None for anything else."""
    found = read_choice_letters(text)
    return next(iter(found)) if found is not None and len(found) == 1 else None


def read_option_letter(text: str) -> str | None:
    """The letter before an option's text: of "(C) Plane", "C. 12", "Option C"; None where another is named too."""
    plain = _without_text_commands(text)
    found = LABELLED.fullmatch(plain) if OPENING.match(plain) else None
    if found is None or ANOTHER.search(found[5]):
        return None
    letter = found[1] or found[2] or found[3] or found[4]
    return letter if letter.isupper() else None


def read_option_text(text: str) -> str | None:
    r"""The text of the option, of \text{(C) }7 or \text{(C) a plane}; None where there is none."""
    found = OPTION.fullmatch(text)
    if found is None or read_option_letter(text) is None:
        return None
    rest = found[1] if text[: found.start(1)].endswith("}") else rf"\text{{{found[1]}"
    return rest.strip() if rest.strip(" .{}") else None


def _without_text_commands(text: str) -> str:
    plain = " ".join(TEXT.sub(r" \1 ", text.removeprefix("\\{").removesuffix("\\}")).replace(" ,", ",").split())
    return re.sub(r"\( ?([A-Z]) ?\)", r"(\1)", plain)

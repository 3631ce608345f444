r"""Answers in words: a text, a phrase of words and values, meanings of fixed words."""

from __future__ import annotations

import re
from collections.abc import Callable

from tvo_cli.reward.answers import number_words
from tvo_cli.reward.answers.answer_structure import TEXT

Same = Callable[[str, str], bool]
CHUNK = re.compile(r"(\\text\{[^{}]*\})")
ARTICLE = re.compile(r"\b(?:an?|the)\b ?(?=\S)")
REALS = "\\mathbb{R}"
KINDS_OF_REALS = ("real numbers", "reals", "real number")
SIGNED = {
    **{"positive": "(0,\\infty)", "negative": "(-\\infty,0)"},
    **{"nonnegative": "[0,\\infty)", "non-negative": "[0,\\infty)", "nonzero": "\\mathbb{R}\\setminus\\{0\\}"},
}
MEANINGS = {
    **dict.fromkeys(("infinity", "positive infinity", "plus infinity"), "\\infty"),
    **dict.fromkeys(("negative infinity", "minus infinity"), "-\\infty"),
    **dict.fromkeys(("all real numbers", "all reals", "real numbers", "any real number", "every real number"), REALS),
    **dict.fromkeys(("all real", "set of all real numbers", "set of real numbers", "reals"), REALS),
    **dict.fromkeys(
        ("all integers", "integers", "set of integers", "set of all integers", "any integer"), "\\mathbb{Z}"
    ),
    **dict.fromkeys(("empty set", "null set", "no solution", "no solutions"), "\\emptyset"),
    **{
        f"{all_}{sign} {kind}": reals
        for sign, reals in SIGNED.items()
        for all_ in ("", "all ")
        for kind in KINDS_OF_REALS
    },
    **dict.fromkeys(("all real numbers except zero", "all reals except zero"), SIGNED["nonzero"]),
}


def meaning_of_words(text: str) -> str:
    r"""\text{infinity} as \infty, \text{all real numbers} as \mathbb{R}."""
    if text == "-\\text{infinity}":
        return "-\\infty"
    if re.fullmatch(r"\\text\{(?:for )?(?:all|any|every) real(?: numbers?| values of)?\}[a-z]", text):
        return REALS
    said = read_text_answer(text) if "text" in text or text[:1].isalpha() else None
    if said is None:
        return text
    return (
        MEANINGS.get(said)
        or MEANINGS.get(re.sub(r"^the | all real$", "", said))
        or _text_answer_as_number(said, text)
        or text
    )


def _text_answer_as_number(said: str, text: str) -> str | None:
    r"""\text{seventeen} as 17, \text{seventh} as 7\text{th}; a third is no place."""
    if re.search(r"\ban? ", text, re.IGNORECASE):
        return None
    value = number_words.read_cardinal_words(said.replace(" hundred, ", " hundred and "))
    if value is not None:
        return str(value)
    place = number_words.read_ordinal_number_words(said)
    return None if place is None else rf"{place}\text{{th}}"


def read_text_answer(text: str) -> str | None:
    r"""The words of a text answer in lower case, `\text{Evelyn}` → "evelyn"; None for mathematics."""
    if "\\text{" not in text and not re.fullmatch(r"[A-Za-z]{3,}(?:(?:, ?|[ -])[A-Za-z]+)*", text):
        return None
    plain = re.sub(r"[\s.!]+", " ", TEXT.sub(r" \1 ", text)).strip().strip("'`\" ")
    plain = re.sub(r" ?(?:, ?and\b|,|(?<= )and\b) ?", ", ", plain)
    if not re.fullmatch(r"(?:[^\W\d_]|[ ,'()/:-])+", plain):
        return None
    return _without_articles(plain.lower()) if len(plain) > 1 else plain


def _without_articles(said: str) -> str:
    """Without articles, and without what makes a sentence of an answer."""
    said = re.sub(r"^(?:there (?:is|are)|it is|is|they are) (?=\S)|(?<=\w) exists?$", "", said)
    return ARTICLE.sub("", re.sub(r"^(infinitely many) solutions?$", r"\1", said))


def same_text_answer(gold: str, answer: str) -> bool:
    """Word by word; a plural is its singular."""
    return [_singular_word(word) for word in gold.split()] == [_singular_word(word) for word in answer.split()]


def _singular_word(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and word[-2] not in "sui" else word


def same_phrase(gold: str, answer: str, same: Same) -> bool:
    """Words and values in turn, in this order: the words equal, and the values equal."""
    expected, said = _phrase_pieces(gold), _phrase_pieces(answer)
    if len(expected) != len(said) or len(expected) < 2:
        return False
    return all(_same_piece_of_phrase_answer(g, a, same) for g, a in zip(expected, said, strict=True))


def _phrase_pieces(text: str) -> list[str]:
    """The pieces of a phrase answer, words and values, in order."""
    return [piece.strip(",; ") for piece in CHUNK.split(text) if piece.strip(",; ")]


def _same_piece_of_phrase_answer(gold: str, answer: str, same: Same) -> bool:
    """Whether two pieces of a phrase answer are equal: words as words, values as values."""
    gold_words, answer_words = CHUNK.fullmatch(gold), CHUNK.fullmatch(answer)
    if gold_words and answer_words:
        normal = [re.sub(r"[.,:;]", "", piece[6:-1].lower()) for piece in (gold, answer)]
        return same_text_answer(*normal)
    return gold == answer or (not gold_words and not answer_words and same(gold, answer))

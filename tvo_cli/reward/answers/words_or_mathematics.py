r"""Words in an answer: which parts of `\text{…}` are words and which are mathematics; which bare letters are words."""

from __future__ import annotations

import re

from tvo_cli.reward.answers.latex_macros import BARE_FUNCTIONS, FUNCTIONS, MATH_LETTERS, words_of_macro_table

GAP = "\ue001"  # a space inside \text{}, kept from the removal of spaces
# Letters of words beside ASCII's: Latin with accents (not º, × and ħ), Cyrillic, Armenian, Hebrew, Arabic, Vietnamese,
# kana, Hangul. Greek ones are mathematics; Chinese is set as words in unicode_to_latex.py.
OTHER_LETTERS = (
    "À-ÖØ-öø-\u0126\u0128-\u024f\u0400-\u052f\u0531-\u0556\u0561-\u0587\u05d0-\u05ea\u0620-\u064a\u1e00-\u1eff"
    "\u3041-\u3096\u30a1-\u30fa\u30fc\uac00-\ud7a3"
)
OTHER_WORD = rf"(?:[A-Za-z]+[{OTHER_LETTERS}]|[{OTHER_LETTERS}][A-Za-z{OTHER_LETTERS}])[A-Za-z{OTHER_LETTERS}]*"
MATHEMATICS = re.compile(r"(\$[^$]*\$|\\\(.*?\\\))", re.DOTALL)
RUN = re.compile(r"((?:[^\d\\^_$%=<>+*{}|&])+)", re.DOTALL)
COMMANDS = {
    "\\AA": "Å",
    "\\mu": "µ",
    "\\mu ": "µ",
    "\\ ": " ",
    "\\,": " ",
    "\\;": " ",
    "~": " ",
    "\\&": " and ",
    "\\-": "",
    "\\/": "/",
}
SUMS = re.compile(r"[a-z](?:[-+][a-z])+")
COMMAND = re.compile(r"\\AA(?![A-Za-z])|\\mu(?: |(?![A-Za-z]))|\\[ ,;&/-]|~")
WORD = re.compile(r"[^\W\d_]|µ|Å")
VALUE_BEFORE = re.compile(r"[\d})/]$|\\(?:cdot|mu)$")
UNIT_LETTERS = frozenset("mgsLlJWVAKNhCTFd")
VOWEL = re.compile(r"[aeiouy]", re.IGNORECASE)
SAYING = frozenset(("is", "answer"))  # outside \\text they make a sentence, which is no answer
CLOSED = words_of_macro_table(
    """and or to in from remainder per base by for all if when where with not at of the an mod because so about
    cm mm km nm kg mg lb lbs oz ft yd mi mph kph hr hrs min mins sec secs ml dollars dollar cents cent inch inches
    feet foot degrees degree radians units unit percent noon only none yes no true false option choice
    days day eV keV MeV GeV Hz kHz MHz mol kJ kcal kW Pa kPa"""
)


def text_command(words: str) -> str:
    r"""\text{…} with one space between words."""
    return rf"\text{{{GAP.join(words.split())}}}"


def split_words_and_mathematics(content: str, font: str, before: str) -> list[tuple[bool, str]]:
    """The content as (True, words) and (False, mathematics) in order; `before` is what stands in front."""
    content = COMMAND.sub(lambda found: COMMANDS[found[0]], content)
    if _is_function_name(content) or _is_single_letter_not_word(content, font, before):
        return [(False, f"\\{content.strip()}" if _is_function_name(content) else content.strip())]
    if font in ("mathrm", "textit", "mathit") and SUMS.fullmatch(content.strip()):
        return [(False, content)]
    if font in MATH_LETTERS and re.search(r"[\d\\^_=+]", content):
        return [(False, content)]
    found: list[tuple[bool, str]] = []
    for i, part in enumerate(MATHEMATICS.split(content)):
        found += [(False, part)] if i % 2 else _split_words_from_signs(part)
    return found


def _is_function_name(content: str) -> bool:
    """Whether a word in LaTeX is a function's name (sin, log), and so mathematics, not a word."""
    return content.strip() in FUNCTIONS - {"deg", "min", "inf", "sup", "mod"}


def _is_single_letter_not_word(content: str, font: str, before: str) -> bool:
    r"""Whether a letter set as a word is mathematics: \mathrm{e}, \text{i}; in 5\,\mathrm{m} it is a unit."""
    letter = content.strip()
    if len(letter) != 1 or not letter.isalpha():
        return False
    if letter in "ei" or font in MATH_LETTERS or (font == "textit" and not VALUE_BEFORE.search(before)):
        return True
    return font == "mathrm" and not (letter in UNIT_LETTERS and VALUE_BEFORE.search(before))


def _split_words_from_signs(content: str) -> list[tuple[bool, str]]:
    """Runs of words apart from numbers and signs."""
    if re.search(r"\\[A-Za-z]", content):
        return [(False, content)]
    parts: list[tuple[bool, str]] = []
    for i, part in enumerate(RUN.split(content)):
        if not part:
            continue
        if i % 2 == 0 or not WORD.search(part) or _is_lone_variable(part, content):
            parts.append((False, part))
        else:
            words, variable = _split_trailing_variable(part, content)
            parts += [*_words_without_punctuation(words), (False, variable)]
    return parts


def _split_trailing_variable(part: str, content: str) -> tuple[str, str]:
    """(" or ", "x") of the " or x " in "x < 1 or x > 2"."""
    found = re.fullmatch(r"((?:.*\W)?(?:and|or)) ([a-z]) ?", part) if re.search(r"[=<>]", content) else None
    return (found[1], found[2]) if found else (part, "")


def _is_lone_variable(part: str, content: str) -> bool:
    """x in "x = 5", A in A5: a letter beside a sign."""
    return (
        len(part.strip()) == 1 and part.strip() not in "a" and re.search(r"[=<>]|[A-Z]\d|\d[A-Z]", content) is not None
    )


def _words_without_punctuation(part: str) -> list[tuple[bool, str]]:
    """Words, with the commas and signs at their ends outside."""
    core = part.strip().strip(",;").strip()
    start = part.find(core)
    sign = re.search(r"[-(]+$", core) if part.endswith(core[-1:]) else None
    end = sign.start() if sign and sign.start() else len(core)
    return [(False, part[:start]), (True, core[:end]), (False, core[end:] + part[start + len(core) :])]


def spell_bare_letters(run: str, tokens: list[str], after: int) -> str:
    r"""A bare run of letters: sin is \sin, words are \text{words}, other letters a product; sí and да are words."""
    if not run.isascii():
        return text_command(run)
    if run in BARE_FUNCTIONS and len(tokens) > 1:
        return f"\\{run}"
    previous = tokens[after - 2] if after > 1 else " "
    following = tokens[after] if after < len(tokens) else " "
    if not _is_bare_word(run, previous, following, tokens[max(0, after - 4) : after - 1]):
        return run
    return text_command(run)


def _is_bare_word(run: str, previous: str, following: str, before: list[str]) -> bool:
    """Whether a run of letters is a word: spaces or edges round it, and a known word or of four letters or more."""
    if not (previous[-1] in " \n\t~,;:.(-" or previous in ("\\ ", "\\,") or (run in CLOSED and previous.isdigit())):
        return False
    if not (following[0] in " \n\t~,;:.)^?!-'/$" or following in ("\\ ", "\\,")):
        return False
    if run in CLOSED or run.lower() in SAYING:
        return run in CLOSED
    sentence = any(token in CLOSED or (len(token) > 3 and token.isalpha()) for token in before)
    return len(run) > 3 - sentence and not run.isupper() and VOWEL.search(run) is not None

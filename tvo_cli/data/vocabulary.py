"""The words of the embedded tasks. Texts are words separated by single spaces.

The tiny model's tokenizer is made from `WORDS`, one token a word; special tokens are added there.
"""

from __future__ import annotations

NUMBERS: tuple[str, ...] = tuple(map(str, range(16)))
OPERATORS: tuple[str, ...] = ("+", "-", "*")
EQUALS = "="
BLANK = "_"
BOX = "\\boxed{"
CLOSE = "}"

# Neutral: uniform in the teacher and touched by no reward. Their drift from uniform is pure gradient noise.
OPENERS: tuple[str, ...] = ("well", "okay", "now", "first", "sure", "right", "let", "good")
SEPARATORS: tuple[str, ...] = ("then", "next", "so")

NO_CARRY: tuple[str, ...] = ("plain", "clean", "none")
CARRY: tuple[str, ...] = ("carry", "over", "keep")

WORDS: tuple[str, ...] = (
    *NUMBERS,
    *OPERATORS,
    EQUALS,
    BLANK,
    BOX,
    CLOSE,
    *OPENERS,
    *SEPARATORS,
    *NO_CARRY,
    *CARRY,
)

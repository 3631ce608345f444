"""Special tokens in the texts of data are plain text: `<|im_end|>` in a question ends no turn.

While a prompt is rendered, each such text is replaced by a placeholder that no template touches. So what the chat
template writes itself stays apart from what a data set writes, and a `Prompt` says which is which. A chat template
writes every special token that belongs into the prompt, so that none is added to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from tvo_cli.types import Problem

OPEN, CLOSE = "\ufdd2", "\ufdd3"  # noncharacters: no text holds them
PLACEHOLDER = re.compile(f"{OPEN}([0-9]+){CLOSE}")


class Prompt(str):
    """A prompt that knows how it is tokenised; a plain str is tokenised as the tokenizer does with any text."""

    control: tuple[tuple[int, int], ...] | None  # (start, end) of each special token; None: wherever one matches
    templated: bool  # written by a chat template: the tokenizer adds no special tokens

    def __new__(cls, text: str, control: Sequence[tuple[int, int]] | None, *, templated: bool = False) -> Prompt:
        """The text with its marks."""
        made = super().__new__(cls, text)
        made.control = None if control is None else tuple(control)
        made.templated = templated
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str, tuple[tuple[int, int], ...] | None], dict[str, bool]]:
        """For copies."""
        return (str(self), self.control), {"templated": self.templated}


def is_templated(prompt: str) -> bool:
    """Return whether a chat template wrote the prompt."""
    return isinstance(prompt, Prompt) and prompt.templated


def literal_control(prompt: str) -> tuple[tuple[int, int], ...] | None:
    """Return where the special tokens of a prompt are, where the data's texts hold some that are plain text."""
    return prompt.control if isinstance(prompt, Prompt) else None


@lru_cache(maxsize=8)
def special_tokens(tokenizer: Any) -> tuple[str, ...]:
    """Return the special tokens of a tokenizer, longest first."""
    added = getattr(tokenizer, "added_tokens_decoder", None) or {}
    found = {str(token.content) for token in added.values() if token.special}
    found |= set(map(str, getattr(tokenizer, "all_special_tokens", None) or ()))
    return tuple(sorted(filter(None, found), key=lambda text: (-len(text), text)))


@lru_cache(maxsize=8)
def _special_token_pattern(tokenizer: Any) -> re.Pattern[str] | None:
    tokens = special_tokens(tokenizer)
    return re.compile("|".join(map(re.escape, tokens))) if tokens else None


def holds_special_token(text: str, tokenizer: Any) -> bool:
    """Return whether a text has the name of a special token in it."""
    pattern = _special_token_pattern(tokenizer)
    return pattern is not None and pattern.search(text) is not None


def hide_special_tokens(problem: Problem, tokenizer: Any) -> Problem:
    """Return the problem with a placeholder for every special token in its texts."""
    pattern = None if tokenizer is None else _special_token_pattern(tokenizer)
    if pattern is None or not pattern.search(problem.asked):
        return problem
    numbers = {text: number for number, text in enumerate(special_tokens(tokenizer))}

    def cover(text: str) -> str:
        return pattern.sub(lambda found: f"{OPEN}{numbers[found[0]]}{CLOSE}", text)

    turns = tuple((role, cover(text)) for role, text in problem.turns)
    return replace(problem, question=cover(problem.question), turns=turns)


def restore_special_tokens(text: str, tokenizer: Any, *, templated: bool = False) -> str:
    """Return a rendered prompt with the special tokens of the data's own texts back in their places."""
    pattern = None if tokenizer is None else _special_token_pattern(tokenizer)
    if pattern is None or OPEN not in text:
        return Prompt(text, None, templated=True) if templated else text
    tokens, parts = special_tokens(tokenizer), list[str]()
    control, end, length = list[tuple[int, int]](), 0, 0
    for found in re.finditer(f"{PLACEHOLDER.pattern}|{pattern.pattern}", text):
        parts += [text[end : found.start()], tokens[int(found[1])] if found[1] else found[0]]
        end, length = found.end(), length + sum(map(len, parts[-2:]))
        control += [] if found[1] else [(length - len(found[0]), length)]
    return Prompt("".join([*parts, text[end:]]), control, templated=templated)

"""Special tokens in the texts of data are plain text: `<|im_end|>` in a question ends no turn.

While a prompt is rendered, each such text is replaced by a placeholder that no template touches. So what the chat
template writes itself stays apart from what a data set writes, and a `Prompt` says which is which. A chat template
writes every special token that belongs into the prompt, so that none is added to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tvo_cli.errors import UserError
from tvo_cli.types import Problem

if TYPE_CHECKING:
    from tokenizers import Tokenizer

OPEN, CLOSE = "\ufdd2", "\ufdd3"  # noncharacters: no text holds them
NAME_OPEN, NAME_CLOSE = "\ufdd0", "\ufdd1"  # of the other names of special tokens
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


def unknown_token_id(tokenizer: Any) -> int | None:
    """The unknown token, unless the tokenizer uses another's for it: GPT-2's is its end token."""
    found = getattr(tokenizer, "unk_token_id", None)
    shared = {getattr(tokenizer, f"{name}_token_id", None) for name in ("bos", "eos")}
    return None if found in shared else found


@lru_cache(maxsize=8)
def tokenizer_with_renamed_specials(tokenizer: Any) -> tuple[Tokenizer, Mapping[str, str]]:
    """The same tokenizer with other names for its special tokens, and these names: their usual ones are then text."""
    from tokenizers import Tokenizer

    names = {text: f"{NAME_OPEN}{number}{NAME_CLOSE}" for number, text in enumerate(special_tokens(tokenizer))}
    try:
        state = json.loads(tokenizer.backend_tokenizer.to_str())
        for token in state["added_tokens"]:
            token["content"] = names.get(token["content"], token["content"])
        _rename_in_vocabulary(state["model"], names)
        made = Tokenizer.from_str(json.dumps(state))
    except Exception as error:  # not a tokenizer of the tokenizers library, or one that needs its names
        raise UserError(
            "model.path",
            tokenizer.name_or_path,
            f"its tokenizer cannot read a special token as plain text ({error}).",
            f"Take the texts {', '.join(sorted(names)[:4])} … out of the questions.",
        ) from error
    made.no_truncation()
    made.no_padding()
    return made, names


def _rename_in_vocabulary(model: dict[str, Any], names: Mapping[str, str]) -> None:
    """Give special tokens their other names in the vocabulary of a tokenizer's state, in place."""
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, dict):
        model["vocab"] = {names.get(text, text): number for text, number in vocabulary.items()}
    elif isinstance(vocabulary, list):
        model["vocab"] = [[names.get(text, text), score] for text, score in vocabulary]
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]

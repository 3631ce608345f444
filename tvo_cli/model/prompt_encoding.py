"""Prompts to token ids: one begin token, no end token, special tokens in a data set's texts read as plain text.

What a chat template wrote is tokenised as transformers' own `apply_chat_template(tokenize=True)` does: the template
has written every special token, and none is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from tvo_cli.data.special_tokens import (
    Prompt,
    is_templated,
    literal_control,
    tokenizer_with_renamed_specials,
)
from tvo_cli.errors import UserError

PROBE = "a"


def encode_prompts(tokenizer: Any, prompts: Sequence[str]) -> list[list[int]]:
    """The ids of each prompt; one that begins with the begin token is not given two, and a templated one none."""
    whole = [is_templated(prompt) or _starts_with_bos(tokenizer, prompt) for prompt in prompts]
    found: dict[int, list[int]] = {}
    for add in (True, False):
        rows = [i for i, prompt in enumerate(prompts) if whole[i] is not add and literal_control(prompt) is None]
        ids = _encode_plain_prompts(tokenizer, [str(prompts[i]) for i in rows], add)
        found |= dict(zip(rows, ids, strict=True))
    for i, prompt in enumerate(prompts):
        if isinstance(prompt, Prompt) and prompt.control is not None:
            found[i] = _encode_literal_prompt(tokenizer, prompt, prompt.control, add=not whole[i])
    return [found[i] for i in range(len(prompts))]


def _starts_with_bos(tokenizer: Any, prompt: str) -> bool:
    """Whether a prompt begins with the begin token, so that encoding adds none."""
    begin = tokenizer.bos_token
    if not begin or not prompt.startswith(begin):
        return False
    control = literal_control(prompt)
    return control is None or (0, len(begin)) in control


def _encode_plain_prompts(tokenizer: Any, prompts: list[str], add: bool) -> list[list[int]]:
    """The ids of prompts in which a special token's text is that token."""
    if not prompts:
        return []
    try:
        rows: list[list[int]] = tokenizer(prompts, add_special_tokens=add, verbose=False)["input_ids"]
    except Exception as error:  # tokenizers raises nothing narrower for a word outside its vocabulary
        raise _prompt_encoding_error(tokenizer, prompts, error) from error
    return [_strip_added_eos(tokenizer, row) for row in rows] if add else rows


def _prompt_encoding_error(tokenizer: Any, prompts: Sequence[str], error: Exception) -> UserError:
    return UserError(
        "model.path",
        tokenizer.name_or_path,
        f"the model's tokenizer cannot read {prompts[0][:40]!r}{' or a later prompt' if len(prompts) > 1 else ''} "
        f"({error}).",
        "The embedded models know only the embedded tasks' words; choose another model.",
    )


def _strip_added_eos(tokenizer: Any, row: list[int]) -> list[int]:
    """The ids of a prompt without the end tokens that the tokenizer has put behind it."""
    return row[: len(row) - len(eos_ids_added_to_prompts(tokenizer))]


@lru_cache(maxsize=8)
def eos_ids_added_to_prompts(tokenizer: Any) -> tuple[int, ...]:
    """Ids that the tokenizer's post-processor puts behind every text (add_eos_token); a prompt is to be continued."""
    try:
        with_, bare = (tokenizer(PROBE, add_special_tokens=add)["input_ids"] for add in (True, False))
    except Exception:  # a tokenizer of words without a token for the unknown one
        return ()
    starts = [at for at in range(len(with_) - len(bare) + 1) if with_[at : at + len(bare)] == bare]
    return tuple(with_[starts[0] + len(bare) :]) if bare and starts else ()


def _encode_literal_prompt(tokenizer: Any, prompt: str, control: Sequence[tuple[int, int]], *, add: bool) -> list[int]:
    """The ids of a prompt in which only the special tokens at `control` are tokens, and others plain text."""
    renamed, names = tokenizer_with_renamed_specials(tokenizer)
    parts, end = [], 0
    for start, stop in control:
        parts += [prompt[end:start], names[prompt[start:stop]]]
        end = stop
    row: list[int] = renamed.encode("".join([*parts, prompt[end:]]), add_special_tokens=add).ids
    return _strip_added_eos(tokenizer, row) if add else row

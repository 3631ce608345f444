"""A check before the first step that a model can read a data set's prompts: unknown tokens, end tokens, lengths."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tvo_cli.data.special_tokens import literal_control, unknown_token_id
from tvo_cli.data.vocabulary import WORDS
from tvo_cli.errors import UserError
from tvo_cli.model.policy import Policy
from tvo_cli.model.prompt_encoding import encode_prompts
from tvo_cli.types import Problem

log = logging.getLogger("tvo")
MOST_UNKNOWN = 0.03  # of the tokens of all prompts
ROWS_AT_ONCE = 1000
PACKAGED = "packaged:"
MOST_SPECIAL = 8  # tokens of the embedded tokenizer that are no words of its tasks


@dataclass(frozen=True, slots=True)
class PromptReader:
    """The part of a model that prompts have to suit."""

    path: str  # as the config names it
    tokenizer: Any
    end_ids: frozenset[int]
    embeddings: int | None = None  # rows of the input embedding; None: not known
    context: int | None = None  # tokens of prompt and response together

    @classmethod
    def of(cls, policy: Policy | PromptReader, path: str) -> PromptReader:
        """Of a policy; a reader is its own."""
        if isinstance(policy, PromptReader):
            return policy
        config = policy.network.config.get_text_config()
        rows = int(policy.network.get_input_embeddings().weight.shape[0])
        return cls(path, policy.tokenizer, policy.end_ids, rows, getattr(config, "max_position_embeddings", None))


@dataclass(slots=True)
class PromptSurvey:
    """What was seen of the prompts, in their order."""

    ids: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    tokens: int = 0
    unknown: int = 0
    unread: list[tuple[str, str]] = field(default_factory=list)  # (id, prompt) of those with unknown tokens
    ended: list[str] = field(default_factory=list)  # ids of those that end with an end token
    literal: list[str] = field(default_factory=list)  # ids of those with a special token in their text

    @property
    def longest(self) -> int:
        """The index of the longest prompt."""
        return max(range(len(self.lengths)), key=self.lengths.__getitem__)


def survey_prompts(problems: Iterable[Problem], render: Callable[[Problem], str], reader: PromptReader) -> PromptSurvey:
    """Render and encode the prompts.

    Raises:
        UserError: a prompt has a token that the model has no embedding for.
    """
    seen = PromptSurvey()
    for block in _problem_blocks_to_check(problems):
        prompts = [render(problem) for problem in block]
        for problem, prompt, ids in zip(block, prompts, encode_prompts(reader.tokenizer, prompts), strict=True):
            _survey_prompt(seen, problem, prompt, ids, reader)
    return seen


def _problem_blocks_to_check(problems: Iterable[Problem]) -> Iterator[list[Problem]]:
    """Yield the problems in blocks whose prompts are encoded and checked at once."""
    remaining = iter(problems)
    while block := list(islice(remaining, ROWS_AT_ONCE)):
        yield block


def _survey_prompt(seen: PromptSurvey, problem: Problem, prompt: str, ids: Sequence[int], reader: PromptReader) -> None:
    """Note of one prompt what the check tells or refuses."""
    if not ids:
        raise UserError("dataset", problem.id, "has a prompt without a single token.", "Mend or remove the row.")
    if reader.embeddings is not None and max(ids) >= reader.embeddings:
        _refuse_token_without_embedding(problem, max(ids), reader)
    unknown = unknown_token_id(reader.tokenizer)
    count = 0 if unknown is None else ids.count(unknown)
    seen.ids.append(problem.id)
    seen.lengths.append(len(ids))
    seen.tokens += len(ids)
    seen.unknown += count
    seen.unread += [(problem.id, prompt)] if count else []
    seen.ended += [problem.id] if ids[-1] in reader.end_ids else []
    seen.literal += [problem.id] if literal_control(prompt) is not None else []


def _refuse_token_without_embedding(problem: Problem, token: int, reader: PromptReader) -> None:
    """Refuse a prompt with a token for which the model has no embedding."""
    name = reader.tokenizer.convert_ids_to_tokens(token)
    raise UserError(
        "model.path",
        reader.path,
        f"the prompt of {problem.id} has the token {name!r} ({token}), and the model has embeddings for "
        f"{reader.embeddings} tokens only.",
        "Take the model's own tokenizer, or save the model after resize_token_embeddings(len(tokenizer)).",
    )


def check_prompts_readable(
    seen: PromptSurvey, reader: PromptReader, of: str, no_suffix: str = "protocol.suffix=''"
) -> None:
    """Warn of what is unusual in the prompts; `of` names them ("training").

    `no_suffix`: the settings by which an evaluation leaves out its instruction.

    Raises:
        UserError: more than a few percent of their tokens are unknown to the tokenizer.
    """
    if seen.unknown > MOST_UNKNOWN * seen.tokens:
        _refuse_unknown_tokens(seen, reader, of, no_suffix)
    if seen.unread:
        name, prompt = seen.unread[0]
        log.warning(
            "%d of %d %s prompts have tokens unknown to the model (%.1f%% of all; first: %s, %r)",
            *(len(seen.unread), len(seen.ids), of, 100 * seen.unknown / seen.tokens, name, _shortened_prompt(prompt)),
        )
    if seen.ended:
        log.warning(
            "%d of %d %s prompts end with an end token (first: %s): the model has to continue after its own end token",
            *(len(seen.ended), len(seen.ids), of, seen.ended[0]),
        )
    if seen.literal:
        log.warning(
            "%d of %d %s problems hold special tokens of the tokenizer (first: %s): they are read as plain text",
            *(len(seen.literal), len(seen.ids), of, seen.literal[0]),
        )


def _refuse_unknown_tokens(seen: PromptSurvey, reader: PromptReader, of: str, no_suffix: str) -> None:
    """Refuse prompts too many of whose tokens the model does not know."""
    name, prompt = seen.unread[0]
    remedy = "Take a model that reads your text: model=custom model.path=FOLDER, or model=qwen2.5-0.5b."
    if _reads_embedded_words_only(reader):
        remedy = (
            "The embedded models read the words of the embedded tasks only (dataset=arithmetic, dataset=addition). "
            "For your own text: model=custom model.path=FOLDER, or model=qwen2.5-0.5b. For these tasks from a file, "
            f"without the instruction: dataset.suffix='' (tvo eval: {no_suffix}, or protocol=model, which asks as the "
            "run did)."
        )
    raise UserError(
        "model.path",
        reader.path,
        f"its tokenizer does not know {seen.unknown / seen.tokens:.0%} of the tokens of the {of} prompts "
        f"(in {len(seen.unread)} of {len(seen.ids)}; first: {name}, {_shortened_prompt(prompt)!r}).",
        remedy,
    )


def _reads_embedded_words_only(reader: PromptReader) -> bool:
    """Whether the tokenizer is that of the embedded models, also in the folder of a run that trained one."""
    named = reader.path.startswith(PACKAGED) or reader.path == "fresh"
    return named or len(set(reader.tokenizer.get_vocab()) - set(WORDS)) <= MOST_SPECIAL


def _shortened_prompt(prompt: str) -> str:
    """A prompt as the check's messages quote it."""
    return prompt if len(prompt) <= 60 else prompt[:59] + "…"

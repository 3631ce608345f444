"""The rows of a fine-tuning: encoded once where data are read, as they come where generated; padding, fingerprint."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from tvo_cli.data.cursor import order_of_epoch
from tvo_cli.data.demonstration_sources import SolvedProblems
from tvo_cli.data.demonstrations import BOX, Demonstration
from tvo_cli.data.problems import Problems
from tvo_cli.data.special_tokens import unknown_token_id
from tvo_cli.errors import UserError
from tvo_cli.model.prompt_check import MOST_UNKNOWN
from tvo_cli.training.run_data.demonstration_encoding import DemonstrationEncoder, EncodedSequence

log = logging.getLogger("tvo")
LOOKED_AT = 64  # rows of generated data


@dataclass(frozen=True, slots=True)
class DemonstrationLengthLimit:
    """How long a row may be, and what is done with a longer one."""

    tokens: int | None  # of prompt and reply together; None: as long as it is
    key: str  # whose value says so
    skip: bool  # leave longer ones out; else they are refused

    def refusal(self, row: EncodedSequence) -> UserError:
        """What is said of a row that is too long."""
        problem = f"{row.id} has {len(row.ids)} tokens with its reply, and {self.tokens} fit ({self.key})."
        return UserError("too_long", "refuse", problem, "too_long=skip leaves such rows out and counts them.")

    def has_room_for(self, row: EncodedSequence) -> bool:
        """Whether the row fits."""
        return self.tokens is None or len(row.ids) <= self.tokens


class Rows(Protocol):
    """Rows by the number of their draw; which row that is depends on (seed, number) alone, so nothing is carried."""

    size: int | None  # rows of an epoch; None: without end
    left_out: int  # rows that were too long

    def at(self, number: int) -> EncodedSequence:
        """The row of this draw, from 0 up."""


class EncodedDemonstrations:
    """Rows that were encoded once; each epoch has each of them once, in an order of its own."""

    def __init__(self, rows: Sequence[EncodedSequence], seed: int, left_out: int) -> None:
        self.size: int | None = len(rows)
        self.left_out, self._rows, self._seed = left_out, rows, seed

    def at(self, number: int) -> EncodedSequence:
        """The row of this draw, from 0 up."""
        epoch, place = divmod(number, len(self._rows))
        return self._rows[order_of_epoch(self._seed, epoch, len(self._rows))[place]]

    def __iter__(self) -> Iterator[EncodedSequence]:
        """All of them, in the order of the data."""
        return iter(self._rows)


class GeneratedRows:
    """Rows of a generated data set, encoded as they come, in its own order."""

    left_out = 0

    def __init__(self, problems: Problems, encoder: DemonstrationEncoder, limit: DemonstrationLengthLimit) -> None:
        self.size = problems.size
        self._problems, self._encoder, self._limit = problems, encoder, limit

    def at(self, number: int) -> EncodedSequence:
        """The row of this draw, from 0 up."""
        (row,) = self._encoder(_demonstration_at(self._problems, number % self.size if self.size else number))
        if not self._limit.has_room_for(row):
            problem = f"{row.id} has {len(row.ids)} tokens with its reply; rows that are generated cannot be left out."
            raise UserError(self._limit.key, self._limit.tokens, problem, "Take shorter problems, or a longer context.")
        return row


def rows_of(
    problems: Problems,
    encoder: DemonstrationEncoder,
    seed: int,
    limit: DemonstrationLengthLimit,
    *,
    graded: bool = True,
) -> Rows:
    """The rows to learn from. `graded`: whether a grader will look for answers in what is learnt from them.

    Raises:
        UserError: a row is too long, none is left, or the model cannot read their replies.
    """
    if isinstance(problems, SolvedProblems):
        return GeneratedRows(problems, encoder, limit)
    read = read_rows(problems, encoder, limit)
    fit = [row for row in read if limit.has_room_for(row)]
    _check_replies_readable(fit, encoder)
    if graded:
        _warn_without_box(problems)
    return EncodedDemonstrations(fit, seed, left_out=len(read) - len(fit))


def first_rows(
    problems: Problems, encoder: DemonstrationEncoder, limit: DemonstrationLengthLimit, most: int
) -> list[EncodedSequence]:
    """The rows of the first `most` demonstrations that fit, whatever is done with longer ones."""
    count = most if problems.size is None else min(most, problems.size)
    rows = (row for index in range(count) for row in encoder(_demonstration_at(problems, index)))
    return [row for row in rows if limit.has_room_for(row)]


def read_rows(
    problems: Problems, encoder: DemonstrationEncoder, limit: DemonstrationLengthLimit
) -> list[EncodedSequence]:
    """Every row, longer ones included where they are left out; else the first of them is refused."""
    found = [row for index in range(problems.size or 0) for row in encoder(_demonstration_at(problems, index))]
    long = [row for row in found if not limit.has_room_for(row)]
    if long and not limit.skip:
        raise limit.refusal(long[0])
    if len(long) == len(found):
        raise UserError(limit.key, limit.tokens, f"leaves out all {len(found)} rows.", "Raise it.")
    if long:
        told = (len(long), len(found), limit.tokens, limit.key, max(long, key=lambda row: len(row.ids)).id)
        log.warning("too_long=skip: %d of %d rows have more than %s tokens (%s; longest: %s) and are left out", *told)
    return found


def _demonstration_at(problems: Problems, index: int) -> Demonstration:
    """A problem of the data as the demonstration that a row is encoded of."""
    found = problems.problem(index)
    if not isinstance(found, Demonstration):
        raise TypeError(f"{problems.name} gives problems without a conversation")
    return found


def _check_replies_readable(rows: Sequence[EncodedSequence], encoder: DemonstrationEncoder) -> None:
    """Refuse replies of which the tokenizer does not know more than a few percent."""
    unknown = unknown_token_id(encoder.policy.tokenizer)
    learned = [token for row in rows for token, is_learned in zip(row.ids, row.learned, strict=True) if is_learned]
    share = 0.0 if unknown is None else learned.count(unknown) / len(learned)
    if share > MOST_UNKNOWN:
        problem = f"its tokenizer does not know {share:.0%} of the tokens of the replies."
        remedy = "Take a model that reads your text: model=custom model.path=FOLDER, or model=qwen2.5-0.5b."
        raise UserError("model.path", encoder.path, problem, remedy)


def _warn_without_box(problems: Problems) -> None:
    """Say how many replies answer a problem without the box in which a run's grader looks for the answer."""
    found = [_demonstration_at(problems, index) for index in range(problems.size or 0)]
    bare = [one for one in found if one.answer and BOX not in one.conversation[-1][1]]
    if bare:
        log.warning(
            "%d of %d replies (first: %s) state their answer in no \\boxed{}, where tvo train looks for it: it will "
            "count none of them as right. 'append_answer=\"\\n\\boxed{{answer}}\"' puts it behind each",
            *(len(bare), len(found), bare[0].id),
        )


def sft_padded_share(rows: EncodedDemonstrations | GeneratedRows, batch: int) -> float:
    """The share of padding where `batch` rows at a time are padded to the longest of them, over the first epoch."""
    lengths = [len(rows.at(number).ids) for number in range(rows.size or 0)]
    parts = [lengths[start : start + batch] for start in range(0, len(lengths), batch)]
    return 1.0 - sum(lengths) / sum(len(part) * max(part) for part in parts)


def sft_rows_fingerprint(rows: Rows) -> str:
    """How many rows, and a sha256 over their tokens and what is learned of them; of generated ones over the first."""
    seen = hashlib.sha256()
    each = iter(rows) if isinstance(rows, EncodedDemonstrations) else islice(map(rows.at, range(LOOKED_AT)), LOOKED_AT)
    for row in each:
        seen.update(json.dumps([row.ids, [int(one) for one in row.learned]]).encode())
    return f"{rows.size or 'endless'}:{seen.hexdigest()[:16]}"

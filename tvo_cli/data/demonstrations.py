r"""Demonstrations: a row as a conversation whose assistant's turns are learned by supervised fine-tuning.

A row states one as a worked solution, as a completion of its prompt, or as a conversation (messages, ShareGPT). Its
last reply answers a problem as reinforcement learning would ask it, so a demonstration is a `Problem` too: held out,
selected and rendered as any other, with or without an answer that could be judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

from tvo_cli.data.row_to_problem import (
    CONVERSATIONS,
    RowReading,
    RowWithoutAnswer,
    UnconvertibleRow,
    column_of_row,
    empty_question,
    gold_of_row,
    question_of_row,
    read_column,
    text_of_column,
    without_instruction,
)
from tvo_cli.readers.column_paths import value_at_path
from tvo_cli.readers.conversations import turns_of
from tvo_cli.readers.golds import gold_of
from tvo_cli.readers.text_values import check_text, level_text_of_value, text_of_value
from tvo_cli.types import Problem

ASSISTANT, USER = "assistant", "user"
REPLIES = ("completion", "solution", "response", "output")  # columns of a reply, where dataset.columns names none
BOX = "\\boxed"
Row = Mapping[str, Any]
Turns = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Demonstration(Problem):
    """A problem with the conversation that answers it; the last turn is the assistant's."""

    conversation: Turns = ()  # (role, text), the question and every reply included


@dataclass(frozen=True, slots=True)
class DemonstrationReading:
    """How rows become demonstrations."""

    skip_unanswered: bool = False  # rows without an answer are left out, as reinforcement learning leaves them out
    append_answer: str | None = None  # a text with {answer}, put behind a last reply that has no box

    def __call__(self, row: Row, reading: RowReading, fallback_id: str) -> Demonstration:
        """The demonstration of a row; raise UnconvertibleRow or RowWithoutAnswer."""
        turns = _conversation_of_row(row, reading, bare=self.append_answer is not None)
        answer = self._answer_of_row(row, reading, turns[-1][1])
        if self.append_answer and answer and BOX not in turns[-1][1]:
            turns = (*turns[:-1], (ASSISTANT, turns[-1][1] + self.append_answer.replace("{answer}", answer)))
        if not turns[-1][1]:
            problem = "has neither a solution nor an answer"
            raise UnconvertibleRow("dataset.columns.solution", problem, "Mend or remove the row.")
        return Demonstration(
            id=text_of_column(row, reading, "id") or fallback_id,
            question=turns[-2][1],
            answer=answer,
            source=reading.source,
            level=level_text_of_value(text_of_column(row, reading, "level")),
            subject=text_of_column(row, reading, "subject"),
            scorer=reading.scorer,
            turns=turns[:-2],
            conversation=turns,
        )

    def _answer_of_row(self, row: Row, reading: RowReading, reply: str) -> str:
        """The gold of a row: of its answer column, or what its last reply puts into a box; "" where there is none."""
        try:
            return gold_of_row(row, reading).text
        except RowWithoutAnswer:
            stated = gold_of(reply)
            if stated.text and stated.text != reply.strip():
                return stated.text
            if self.skip_unanswered:
                raise
            return ""


def with_conversation(problem: Problem, reply: str) -> Demonstration:
    """A problem and its worked solution as a demonstration."""
    same = {one.name: getattr(problem, one.name) for one in fields(Problem)}
    turns = (*problem.turns, (USER, problem.question), (ASSISTANT, reply))
    return Demonstration(**same, conversation=turns)


def _conversation_of_row(row: Row, reading: RowReading, *, bare: bool) -> Turns:
    """All turns of a row, the last one the assistant's; an empty one where a bare answer will stand there."""
    whole = _whole_conversation(row, reading)
    if whole:
        return _checked_demonstration_turns(whole)
    asked, reply = question_of_row(row, reading), _reply_of_row(row, reading)
    if reply is None and not bare:
        raise UnconvertibleRow(
            "dataset.columns.solution",
            f"has nothing to learn: no column {', '.join(REPLIES)}, and no assistant's turn (it has "
            f"{', '.join(map(str, row))})",
            "Name the worked solution's column: dataset.columns.solution=NAME. To learn bare answers: "
            "'append_answer=\"\\boxed{{answer}}\"'.",
        )
    question = without_instruction(asked.text, reading.strip)
    if not question:
        raise empty_question()
    return _checked_demonstration_turns([*asked.turns, (USER, question), *(reply or [(ASSISTANT, "")])])


def _whole_conversation(row: Row, reading: RowReading) -> list[tuple[str, str]]:
    """The turns of a conversation that ends with the assistant's; none where the row has no such."""
    path = column_of_row(row, reading, "question")
    if path is None or path.rpartition(".")[2].lower() not in CONVERSATIONS:
        return []
    turns = list(read_column("question", lambda: turns_of(value_at_path(row, path)), path))
    if not turns or turns[-1][0] != ASSISTANT:
        return []
    at = max((n for n, (role, _) in enumerate(turns) if role == USER), default=0)
    turns[at] = turns[at][0], without_instruction(turns[at][1], reading.strip)
    return turns


def _reply_of_row(row: Row, reading: RowReading) -> list[tuple[str, str]] | None:
    """The turns of the reply's column: a text, or the assistant's turns; None where the row has no such column."""
    path = reading.columns.get("solution") or _first_column_of_row(row, REPLIES)
    value = None if path is None else value_at_path(row, path)
    if path is None or value is None:
        return _reply_in_answer(row, reading)

    def read() -> list[tuple[str, str]]:
        if isinstance(value, Sequence | Mapping) and not isinstance(value, str):
            return list(turns_of(value))
        return [(ASSISTANT, check_text(text_of_value(value), "solution"))]

    return read_column("solution", read, path)


def _reply_in_answer(row: Row, reading: RowReading) -> list[tuple[str, str]] | None:
    """A worked solution that stands in the answer's column, as GSM8K's do: its answer is only a part of it."""
    stated = text_of_column(row, reading, "answer") if column_of_row(row, reading, "answer") else ""
    if not stated or not isinstance(value_at_path(row, column_of_row(row, reading, "answer") or ""), str):
        return None
    return [(ASSISTANT, stated)] if gold_of(stated, reading.answer_marker).text not in ("", stated.strip()) else None


def _first_column_of_row(row: Row, names: Sequence[str]) -> str | None:
    """The first of some columns that a demonstration's row has."""
    spelled = {str(column).lower(): str(column) for column in row}
    return next((spelled[name] for name in names if name in spelled and row.get(spelled[name]) is not None), None)


def _checked_demonstration_turns(turns: Sequence[tuple[str, str]]) -> Turns:
    """The turns, each reply of the assistant after a user's; earlier ones of it may open the conversation."""
    remedy = "Mend or remove the row."
    if not turns or turns[-1][0] != ASSISTANT:
        raise UnconvertibleRow("dataset.columns.solution", "does not end with the assistant's turn", remedy)
    begun = False
    for (before, _), (role, _) in pairwise(turns):
        begun |= before == USER
        if role == ASSISTANT and before != USER and begun:
            problem = f"has an assistant's turn after the {before}'s, where reinforcement learning asks nothing"
            raise UnconvertibleRow("dataset.columns.question", problem, remedy)
    if turns[-2:-1] == [] or turns[-2][0] != USER:
        raise UnconvertibleRow("dataset.columns.question", "has no user's turn before the last reply", remedy)
    return tuple(turns)


def problem_of_reply(demonstration: Demonstration, turn: int) -> Problem:
    """The problem that the reply at `turn` answers: the turn before it is asked, and those before that are shown."""
    before = demonstration.conversation[:turn]
    same = {one.name: getattr(demonstration, one.name) for one in fields(Problem)}
    return replace(Problem(**same), question=before[-1][1], turns=before[:-1])


def learned_replies(demonstration: Demonstration) -> list[int]:
    """The turns that are learned: every reply of the assistant to a user."""
    roles = [role for role, _ in demonstration.conversation]
    return [at for at in range(1, len(roles)) if roles[at] == ASSISTANT and roles[at - 1] == USER]

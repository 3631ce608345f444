"""From a row, as a file or the hub gives it, to a problem. Nothing here knows where the row came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tvo_cli.errors import UserError
from tvo_cli.readers.answers import as_integer, as_text, level_of
from tvo_cli.readers.columns import walk
from tvo_cli.readers.conversations import Question, question_of
from tvo_cli.readers.faults import Malformed
from tvo_cli.readers.golds import Gold, gold_of
from tvo_cli.readers.text import checked
from tvo_cli.types import Problem

Row = Mapping[str, Any]
Read = TypeVar("Read")

CONVERSATIONS = ("messages", "conversations", "conversation")  # with the answer as their last turn
GUESSES: Mapping[str, tuple[str, ...]] = {
    "question": ("question", "problem", "prompt", *CONVERSATIONS),
    "answer": ("answer", "gold", "final_answer", "ground_truth"),
    "solution": ("solution",),
    "id": ("id", "unique_id"),
    "level": ("level",),
    "subject": ("subject", "type"),
}
NESTED = {"answer": ("reward_model.ground_truth",)}  # as verl and its kin write


class Unreadable(Exception):
    """A row that is no problem: which config key would mend it, why, and what to do."""

    def __init__(self, key: str, problem: str, remedy: str) -> None:
        self.key, self.problem, self.remedy = key, problem, remedy
        super().__init__(problem)


class Unanswered(Unreadable):
    """A row that states no answer."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How rows are read. A column may be a path into the row: `reward_model.ground_truth`, `prompt.0.content`."""

    source: str
    columns: Mapping[str, str | None] = field(default_factory=dict)  # unnamed ones are guessed
    answer_marker: str | None = None  # the gold follows it in the answer column (GSM8K: "####")
    strip: Sequence[str] = ()  # instructions around the question that are taken off, verbatim
    scorer: str = ""
    counts: Counter[str] = field(default_factory=Counter)  # of golds that are lists of "several" answers

    @staticmethod
    def of(node: Mapping[str, Any]) -> Reading:
        """Read from a dataset node."""
        columns = dict(node.get("columns") or {})
        unknown = sorted(set(columns) - set(GUESSES))
        if unknown:
            raise UserError(
                f"dataset.columns.{unknown[0]}",
                columns[unknown[0]],
                "names no column of a problem.",
                f"Choose among {', '.join(GUESSES)}.",
            )
        return Reading(
            source=str(node["name"]),
            columns=columns,
            answer_marker=node.get("answer_marker"),
            strip=tuple(node.get("strip") or ()),
            scorer=str(node.get("scorer") or ""),
        )


def to_problem(row: Row, reading: Reading, fallback_id: str) -> Problem:
    """The problem this row states; raises Unreadable or Unanswered."""
    asked = _question(row, reading)
    question = without_instruction(asked.text, reading.strip)
    if not question:
        raise Unreadable("dataset.columns.question", "has an empty question", "Mend or remove the row.")
    gold = _gold(row, reading).text
    solution = _text(row, reading, "solution")
    return Problem(
        id=_text(row, reading, "id") or fallback_id,
        question=question,
        answer=_as_scored(gold, reading.scorer),
        source=reading.source,
        level=level_of(_text(row, reading, "level")),
        subject=_text(row, reading, "subject"),
        scorer=reading.scorer,
        metadata={"solution": solution} if solution else {},
        turns=asked.turns,
    )


def raw_question(row: Row, reading: Reading) -> str:
    """All that is asked, with whatever instruction surrounds it: enough to tell rows apart, and quick."""
    asked = _question(row, reading)
    return "\n\n".join((*(text for _, text in asked.turns), asked.text))


def without_instruction(question: str, instructions: Sequence[str]) -> str:
    """The question without instructions in front of it or behind it; only whole, verbatim ones are removed."""
    text = question.strip()
    for instruction in instructions:
        text = text.removeprefix(instruction.strip()).removesuffix(instruction.strip()).strip()
    return text


def _question(row: Row, reading: Reading) -> Question:
    path = _path(row, reading, "question")
    if path is None:
        named = reading.columns.get("question")
        plain = (guess for guess in GUESSES["question"] if guess not in CONVERSATIONS)
        missing = f"no column {named!r}" if named else f"no column {', '.join(plain)}"
        raise Unreadable(
            "dataset.columns.question",
            f"has {missing} (it has {', '.join(map(str, row)) or 'none'}){'' if named else ', nor messages'}",
            "Name the question's column: dataset.columns.question=NAME",
        )
    answered = path.rpartition(".")[2].lower() in CONVERSATIONS
    return _of_column("question", lambda: question_of(walk(row, path), answered=answered), path)


def _of_column(noun: str, read: Callable[[], Read], path: str) -> Read:
    """What the column states; a fault says which setting names it."""
    try:
        return read()
    except Malformed as fault:
        remedy = fault.remedy.replace("COLUMN.PART", f"dataset.columns.{noun}={path}.PART").replace("COLUMN", path)
        raise Unreadable(f"dataset.columns.{noun}", fault.problem, remedy) from fault


def _gold(row: Row, reading: Reading) -> Gold:
    gold = _stated(row, reading, "answer", lambda value: gold_of(value, reading.answer_marker))
    gold = gold if gold.text else _stated(row, reading, "solution", _of_solution)
    if not gold.text:
        raise Unanswered(
            "dataset.columns.answer",
            _why_unanswered(row, reading),
            "Name the answer's column (dataset.columns.answer=NAME), or skip such rows: dataset.unanswered=skip",
        )
    reading.counts["several"] += gold.several
    return gold


def _stated(row: Row, reading: Reading, noun: str, read: Callable[[object], Gold]) -> Gold:
    path = _path(row, reading, noun)
    return Gold("") if path is None else _of_column(noun, lambda: read(walk(row, path)), path)


def _of_solution(stated: object) -> Gold:
    """A solution is no answer, unless a box or a mark in it says where the answer is."""
    found = gold_of(as_text(stated))
    return Gold("") if found.text == as_text(stated) else found


def _why_unanswered(row: Row, reading: Reading) -> str:
    if reading.answer_marker and _path(row, reading, "answer"):
        return f"has no answer: nothing follows {reading.answer_marker!r} in its answer column"
    named = reading.columns.get("answer")
    column = f"the column {named!r}" if named else f"a column {', '.join(GUESSES['answer'])}"
    return f"has no answer: nothing in {column}, and no box in a solution (columns: {', '.join(map(str, row))})"


def _as_scored(answer: str, scorer: str) -> str:
    if scorer != "integer":
        return answer
    whole = as_integer(answer)
    if whole is None:
        problem = f"has the answer {answer[:40]!r}, which is no integer"
        raise Unreadable("dataset.scorer", problem, "Use dataset.scorer=math")
    return whole


def _text(row: Row, reading: Reading, noun: str) -> str:
    path = _path(row, reading, noun)
    return "" if path is None else _of_column(noun, lambda: checked(as_text(walk(row, path)), noun), path)


def _path(row: Row, reading: Reading, noun: str) -> str | None:
    """The column for `noun`: the named one, else the first guess the row has, in any spelling of capitals."""
    named = reading.columns.get(noun)
    if named:
        return named if walk(row, named) is not None else None
    spelled = {str(column).lower(): str(column) for column in row}
    nested = [path for path in NESTED.get(noun, ()) if walk(row, path) is not None]
    guesses = [spelled[guess] for guess in GUESSES[noun] if row.get(spelled.get(guess, "")) is not None]
    return next(iter(guesses + nested), None)

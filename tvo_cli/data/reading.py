"""From a row, as a file or the hub gives it, to a problem. Nothing here knows where the row came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tvo_cli.data.answers import after_marker, as_integer, as_text, last_box, level_of
from tvo_cli.errors import UserError
from tvo_cli.types import Problem

Row = Mapping[str, Any]

GUESSES: Mapping[str, tuple[str, ...]] = {
    "question": ("question", "problem", "prompt"),
    "answer": ("answer", "gold", "final_answer"),
    "solution": ("solution",),
    "id": ("id", "unique_id"),
    "level": ("level",),
    "subject": ("subject", "type"),
}


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
    question = without_instruction(_question(row, reading), reading.strip)
    if not question:
        raise Unreadable("dataset.columns.question", "has an empty question", "Mend or remove the row.")
    return Problem(
        id=as_text(_value(row, reading, "id")) or fallback_id,
        question=question,
        answer=_answer(row, reading),
        source=reading.source,
        level=level_of(_value(row, reading, "level")),
        subject=as_text(_value(row, reading, "subject")),
        scorer=reading.scorer,
        metadata={"solution": solution} if (solution := as_text(_value(row, reading, "solution"))) else {},
    )


def raw_question(row: Row, reading: Reading) -> str:
    """The question with whatever instruction surrounds it: enough to tell rows apart, and quick."""
    return _question(row, reading)


def without_instruction(question: str, instructions: Sequence[str]) -> str:
    """The question without instructions in front of it or behind it; only whole, verbatim ones are removed."""
    text = question.strip()
    for instruction in instructions:
        text = text.removeprefix(instruction.strip()).removesuffix(instruction.strip()).strip()
    return text


def _question(row: Row, reading: Reading) -> str:
    path = _path(row, reading, "question")
    if path is None:
        named = reading.columns.get("question")
        missing = f"no column {named!r}" if named else f"no column {', '.join(GUESSES['question'])}"
        raise Unreadable(
            "dataset.columns.question",
            f"has {missing} (it has {', '.join(map(str, row)) or 'none'})",
            "Name the question's column: dataset.columns.question=NAME",
        )
    return _spoken(walk(row, path))


def _spoken(value: object) -> str:
    """Text, or the last user message where the column holds a conversation."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        said = [turn for turn in value if isinstance(turn, Mapping) and turn.get("role", "user") == "user"]
        return as_text(said[-1].get("content")) if said else ""
    return as_text(value)


def _answer(row: Row, reading: Reading) -> str:
    stated = as_text(_value(row, reading, "answer"))
    if stated and reading.answer_marker:
        stated = after_marker(stated, reading.answer_marker) or ""
    elif "\\boxed" in stated:  # some data sets put the whole solution there
        stated = last_box(stated) or ""
    answer = stated or last_box(as_text(_value(row, reading, "solution"))) or ""
    if not answer:
        raise Unanswered(
            "dataset.columns.answer",
            _why_unanswered(row, reading),
            "Name the answer's column (dataset.columns.answer=NAME), or skip such rows: dataset.unanswered=skip",
        )
    return _as_scored(answer, reading.scorer)


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
        raise Unreadable("dataset.scorer", f"has the answer {answer!r}, which is no integer", "Use dataset.scorer=math")
    return whole


def _value(row: Row, reading: Reading, noun: str) -> object:
    path = _path(row, reading, noun)
    return None if path is None else walk(row, path)


def _path(row: Row, reading: Reading, noun: str) -> str | None:
    """The column for `noun`: the named one, else the first guess the row has, in any spelling of capitals."""
    named = reading.columns.get(noun)
    if named:
        return named if walk(row, named) is not None else None
    spelled = {str(column).lower(): str(column) for column in row}
    return next((spelled[guess] for guess in GUESSES[noun] if row.get(spelled.get(guess, "")) is not None), None)


def walk(row: Row, path: str) -> object:
    """The value at `path`; a column of exactly that name comes first. None where the path leads nowhere."""
    if path in row:
        return row[path]
    value: object = row
    for step in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, Sequence) and not isinstance(value, str) and step.isdigit():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value

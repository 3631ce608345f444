"""Conversion of a row, of a file or of the hub, to a problem."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from tvo_cli.errors import UserError
from tvo_cli.readers.column_paths import has_path, value_at_path
from tvo_cli.readers.conversations import Question, question_of, turns_of
from tvo_cli.readers.golds import SEVERAL, Gold, gold_of, integer_gold
from tvo_cli.readers.numbers_as_spelled import numbers_by_value
from tvo_cli.readers.record import MalformedRecord
from tvo_cli.readers.text_values import check_text, level_text_of_value, text_of_value
from tvo_cli.types import Problem

log = logging.getLogger("tvo")

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
FIELDS = frozenset(one.name for one in fields(Problem))
LONGEST_FURTHER_COLUMN = 4000  # characters of a column that is kept for own code


class UnconvertibleRow(Exception):
    """A row that is no problem: which config key would correct it, why, and what to do."""

    def __init__(self, key: str, problem: str, remedy: str) -> None:
        self.key, self.problem, self.remedy = key, problem, remedy
        super().__init__(problem)


class RowWithoutAnswer(UnconvertibleRow):
    """A row that states no answer."""


@dataclass(frozen=True, slots=True)
class RowReading:
    """How rows are read: which column is what, markers, instructions. A column may be a path into the row."""

    source: str
    columns: Mapping[str, str | None] = field(default_factory=dict)  # unnamed ones are guessed
    answer_marker: str | None = None  # the gold follows it in the answer column (GSM8K: "####")
    strip: Sequence[str] = ()  # instructions around the question that are taken off, verbatim
    scorer: str = ""
    counts: Counter[str] = field(default_factory=Counter)  # of golds that are lists of "several" answers

    @staticmethod
    def of(node: Mapping[str, Any]) -> RowReading:
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
        return RowReading(
            source=str(node["name"]),
            columns=columns,
            answer_marker=node.get("answer_marker"),
            strip=tuple(node.get("strip") or ()),
            scorer=str(node.get("scorer") or ""),
        )


def row_to_problem(row: Row, reading: RowReading, fallback_id: str) -> Problem:
    """Return the problem that a row states; raise UnconvertibleRow or RowWithoutAnswer."""
    asked = question_of_row(row, reading)
    question = without_instruction(asked.text, reading.strip)
    if not question:
        raise empty_question()
    gold = gold_of_row(row, reading).text
    solution = text_of_column(row, reading, "solution")
    return Problem(
        id=text_of_column(row, reading, "id") or fallback_id,
        question=question,
        answer=_answer_for_scorer(gold, reading.scorer),
        source=reading.source,
        level=level_text_of_value(text_of_column(row, reading, "level")),
        subject=text_of_column(row, reading, "subject"),
        scorer=reading.scorer,
        metadata=_further_columns(row, reading) | ({"solution": solution} if solution else {}),
        turns=asked.turns,
    )


ConvertRow = Callable[[Row, RowReading, str], Problem]  # the last: the id of a row that states none


def _further_columns(row: Row, reading: RowReading) -> dict[str, object]:
    """Return the columns by their own names; for those of a field's name the field stands."""
    used = [path for path in (column_of_row(row, reading, noun) for noun in GUESSES) if path is not None]
    parts = {path: value_at_path(row, path) for path in used if path not in FIELDS}
    return further_columns(row, used) | further_columns(parts, ())


def further_columns(row: Row, used: Collection[object]) -> dict[str, object]:
    """Return the columns of a row that are not used, for reward functions and scorers: JSON of bounded size."""
    found = {str(name): numbers_by_value(value) for name, value in row.items() if name not in used}
    return {name: value for name, value in found.items() if _is_small_json(value)}


def _is_small_json(value: object) -> bool:
    """Return whether a value can be kept with its problem: in checkpoints too, and for a large data set."""
    if isinstance(value, str):
        return len(value) <= LONGEST_FURTHER_COLUMN
    try:
        return len(json.dumps(value)) <= LONGEST_FURTHER_COLUMN
    except (TypeError, ValueError):
        return False


def raw_question(row: Row, reading: RowReading) -> str:
    """Return all that a row asks, with whatever instruction surrounds it: enough to tell rows apart."""
    asked = question_of_row(row, reading)
    return "\n\n".join((*(text for _, text in asked.turns), asked.text))


def without_instruction(question: str, instructions: Sequence[str]) -> str:
    """Return a question without the whole, verbatim instructions in front of it or behind it."""
    text = question.strip()
    for instruction in instructions:
        text = text.removeprefix(instruction.strip()).removesuffix(instruction.strip()).strip()
    return text


def question_of_row(row: Row, reading: RowReading) -> Question:
    """Return the question of a row; UnconvertibleRow where no column has one."""
    path = column_of_row(row, reading, "question")
    if path is None:
        named = reading.columns.get("question")
        if has_path(row, named) if named else {str(column).lower() for column in row} & {*GUESSES["question"]}:
            raise empty_question()
        plain = (guess for guess in GUESSES["question"] if guess not in CONVERSATIONS)
        missing = f"no column {named!r}" if named else f"no column {', '.join(plain)}"
        raise UnconvertibleRow(
            "dataset.columns.question",
            f"has {missing} (it has {', '.join(map(str, row)) or 'none'}){'' if named else ', nor messages'}",
            "Name the question's column: dataset.columns.question=NAME",
        )
    answered = path.rpartition(".")[2].lower() in CONVERSATIONS
    return read_column("question", lambda: question_of(value_at_path(row, path), answered=answered), path)


def empty_question() -> UnconvertibleRow:
    """Return what is raised of a row whose question's column is there and holds nothing."""
    return UnconvertibleRow("dataset.columns.question", "has an empty question", "Mend or remove the row.")


def read_column(noun: str, read: Callable[[], Read], path: str) -> Read:
    """Read a column; an error names the setting that names the column."""
    try:
        return read()
    except MalformedRecord as fault:
        remedy = fault.remedy.replace("COLUMN.PART", f"dataset.columns.{noun}={path}.PART").replace("COLUMN", path)
        raise UnconvertibleRow(f"dataset.columns.{noun}", fault.problem, remedy) from fault


def gold_of_row(row: Row, reading: RowReading) -> Gold:
    """Return the gold of a row: of its answer column, its solution, or the assistant's last turn."""
    gold = _gold_of_column(row, reading, "answer", lambda value: gold_of(value, reading.answer_marker))
    gold = gold if gold.text else _gold_of_column(row, reading, "solution", _gold_of_row_solution)
    gold = gold if gold.text else _gold_of_column(row, reading, "question", _gold_of_conversation)
    if not gold.text:
        raise RowWithoutAnswer(
            "dataset.columns.answer",
            _why_row_is_unanswered(row, reading),
            "Name the answer's column (dataset.columns.answer=NAME), or skip such rows: dataset.unanswered=skip",
        )
    reading.counts["several"] += gold.several
    return gold


def _gold_of_column(row: Row, reading: RowReading, noun: str, read: Callable[[object], Gold]) -> Gold:
    path = column_of_row(row, reading, noun)
    return Gold("") if path is None else read_column(noun, lambda: read(value_at_path(row, path)), path)


def _gold_of_row_solution(stated: object) -> Gold:
    """Return the gold of a worked solution: only what a box or a mark says is the answer."""
    found = gold_of(text_of_value(stated))
    return Gold("") if found.text == text_of_value(stated) else found


def _gold_of_conversation(stated: object) -> Gold:
    """Return the gold that the assistant's last turn puts into a box, or behind a mark."""
    if not isinstance(stated, Sequence) or isinstance(stated, str) or not stated or not isinstance(stated[-1], Mapping):
        return Gold("")
    role, text = turns_of(stated[-1:])[0] if "type" not in stated[-1] else ("", "")
    return _gold_of_row_solution(text) if role == "assistant" else Gold("")


def _why_row_is_unanswered(row: Row, reading: RowReading) -> str:
    if reading.answer_marker and column_of_row(row, reading, "answer"):
        return f"has no answer: nothing follows {reading.answer_marker!r} in its answer column"
    named = reading.columns.get("answer")
    column = f"the column {named!r}" if named else f"a column {', '.join(GUESSES['answer'])}"
    return f"has no answer: nothing in {column}, and no box in a solution (columns: {', '.join(map(str, row))})"


def _answer_for_scorer(answer: str, scorer: str) -> str:
    """Return the answer as the scorer needs it: an integer for `integer`."""
    if scorer != "integer":
        return answer
    whole = integer_gold(answer)
    if whole is None:
        problem = f"has the answer {answer[:40]!r}, which is no integer"
        raise UnconvertibleRow("dataset.scorer", problem, "Use dataset.scorer=math")
    return whole


def text_of_column(row: Row, reading: RowReading, noun: str) -> str:
    """Return what a problem takes from a row's column for `noun`, as text; "" where there is none."""
    path = column_of_row(row, reading, noun)
    return (
        ""
        if path is None
        else read_column(noun, lambda: check_text(text_of_value(value_at_path(row, path)), noun), path)
    )


def column_of_row(row: Row, reading: RowReading, noun: str) -> str | None:
    """Return the row's column for `noun`: the named one, else the first guess the row has, in any capitals."""
    named = reading.columns.get(noun)
    if named:
        return named if value_at_path(row, named) is not None else None
    spelled = {str(column).lower(): str(column) for column in row}
    nested = [path for path in NESTED.get(noun, ()) if value_at_path(row, path) is not None]
    guesses = [spelled[guess] for guess in GUESSES[noun] if guess in spelled and row.get(spelled[guess]) is not None]
    return next(iter(guesses + nested), None)


def log_rows_without_problem(name: str, reading: RowReading, *, unanswered: int = 0, repeated: int = 0) -> None:
    """Log how many rows could not become a problem, and how many golds are lists."""
    if unanswered:
        log.warning("%s: %d rows without an answer are skipped", name, unanswered)
    if repeated:
        log.info("%s: %d rows that repeat a question are left out", name, repeated)
    if reading.counts["several"]:
        log.warning("%s: %d %s", name, reading.counts["several"], SEVERAL)

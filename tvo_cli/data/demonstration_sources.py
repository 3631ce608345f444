"""Where demonstrations come from: rows of a file, of the hub or of own code, or the teacher of an embedded task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from tvo_cli import data
from tvo_cli.data.demonstrations import REPLIES, Demonstration, DemonstrationReading, with_conversation
from tvo_cli.data.file_problems import load_problem_file
from tvo_cli.data.hub_problems import load_hub
from tvo_cli.data.own_problems import KEY as OWN
from tvo_cli.data.own_problems import own_problem_list, own_rows
from tvo_cli.data.problems import Problems
from tvo_cli.data.row_selection import skips_unanswered_rows
from tvo_cli.data.row_to_problem import RowReading, UnconvertibleRow
from tvo_cli.errors import UserError
from tvo_cli.types import Problem

READ = ("jsonl", "hub")


@runtime_checkable
class WorkedSolutions(Protocol):
    """Problems with a teacher."""

    @property
    def size(self) -> int | None: ...

    def problem(self, index: int) -> Problem: ...

    def teacher_solution(self, index: int, seed: int) -> str: ...


class SolvedProblems:
    """A source of demonstrations: the problems of an embedded task, each with a solution of its teacher."""

    neutral_words: tuple[str, ...] = ()

    def __init__(self, name: str, problems: WorkedSolutions, seed: int) -> None:
        self.name, self.size = name, problems.size
        self._problems, self._seed = problems, seed

    def problem(self, index: int) -> Demonstration:
        """The demonstration with this index, from 0 up."""
        return with_conversation(self._problems.problem(index), self._problems.teacher_solution(index, self._seed))


def load_demonstrations(
    node: Mapping[str, Any], *, split: str, seed: int, append_answer: str | None = None
) -> Problems:
    """The demonstrations of one split of a dataset node; of generated data, those of its teacher under `seed`.

    Rows of own code are read as those of a file: a solution, a completion, or a conversation.

    Raises:
        UserError: the data have no worked solutions, or a row cannot be read.
    """
    convert = DemonstrationReading(skips_unanswered_rows(node), append_answer)
    if node["kind"] == "own":
        return _own_demonstrations(node, split, seed, convert)
    if node["kind"] not in READ:
        return _taught(node, data.load(node, split=split, seed=seed), seed)
    if node["kind"] == "jsonl":
        return load_problem_file(node, split=split, convert=convert)
    return load_hub(node, split=split, convert=convert)


def _own_demonstrations(node: Mapping[str, Any], split: str, seed: int, convert: DemonstrationReading) -> Problems:
    """The demonstrations that a function of the user's makes: rows as those of a file, or Problems with a teacher."""
    rows, name = own_rows(node, split=split, seed=seed), str(node["name"])
    if not isinstance(rows, list):
        return _taught(node, rows, seed)
    reading = RowReading.of(node)
    found = [_own_row(row, f"{name}/{split}/{i}", node, reading, convert) for i, row in enumerate(rows)]
    return own_problem_list(found, name, split, str(node["make"]["_target_"]))


def _own_row(
    row: Any, name: str, node: Mapping[str, Any], reading: RowReading, convert: DemonstrationReading
) -> Demonstration:
    """One row of the user's function as a demonstration; a fault names the function and the row."""
    target = node["make"]["_target_"]
    if not isinstance(row, Mapping):
        remedy = f'Return mappings: {{"question": …, "{REPLIES[1]}": …}}.'
        raise UserError(OWN, target, f"row {name} is {type(row).__name__}, no mapping.", remedy)
    try:
        return convert(row, reading, name)
    except UnconvertibleRow as fault:
        remedy = f"A row has a question and one of {', '.join(REPLIES)}, or a conversation as messages."
        raise UserError(OWN, target, f"row {name} {fault.problem}.", remedy) from fault


def _taught(node: Mapping[str, Any], problems: Problems, seed: int) -> Problems:
    if isinstance(problems, WorkedSolutions):
        return SolvedProblems(problems.name, problems, seed)
    if node["kind"] == "mixture":
        remedy = "Fine-tune on one after the other: model.path=FOLDER starts from what the first one left."
        raise UserError("dataset", node["name"], "is a mixture; tvo sft takes one data set.", remedy)
    remedy = "Your own: dataset=jsonl dataset.path=FILE or dataset=own, with solutions or conversations."
    raise UserError("dataset", node["name"], "has no worked solutions to learn from.", remedy)

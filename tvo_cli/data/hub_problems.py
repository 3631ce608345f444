"""Problems from a data set of the Hugging Face hub (or a local folder in the hub's layout)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tvo_cli.data.named_columns import NamedColumns
from tvo_cli.data.odd_golds import log_odd_golds
from tvo_cli.data.problems import ProblemList
from tvo_cli.data.row_selection import select_rows, skips_unanswered_rows
from tvo_cli.data.row_to_problem import (
    ConvertRow,
    RowReading,
    RowWithoutAnswer,
    UnconvertibleRow,
    log_rows_without_problem,
    raw_question,
    row_to_problem,
)
from tvo_cli.errors import UserError
from tvo_cli.types import Problem

OFFLINE = "Without network: dataset=jsonl dataset.path=FILE.jsonl reads a local copy"


def load_hub(node: Mapping[str, Any], *, split: str, convert: ConvertRow = row_to_problem) -> ProblemList:
    """Load the split of dataset.id; dataset.splits says which of the hub's splits serve as train and test."""
    if not node.get("id"):
        raise UserError("dataset.id", None, "no data set is named.", "Set dataset.id=OWNER/NAME")
    splits = node.get("splits") or {}
    shared = not splits.get("test") and bool(splits.get("train"))
    name = splits.get("train") if shared else splits.get(split)
    if not name:
        raise UserError(
            "dataset",
            node["name"],
            f"has no {split} split: it is for {'evaluation' if split == 'train' else 'training'} alone.",
            "Choose another data set to train on, for example dataset=math." if split == "train" else "",
        )
    rows = select_rows(read_hub_split(node, str(name), convert), node, split=split, shared=shared)
    if rows.size:
        return rows
    raise UserError("dataset.holdout", node.get("holdout"), f"leaves no problem for {split}.", "Raise it.")


def read_hub_split(node: Mapping[str, Any], split: str, convert: ConvertRow = row_to_problem) -> list[Problem]:
    """Read every problem of one of the hub's splits, all configurations after one another."""
    unique: dict[str, Problem] = {}
    named = NamedColumns(node)
    for configuration in node.get("configurations") or [None]:
        prefix = "/".join(filter(None, (str(node["name"]), configuration, split)))
        for problem in problems_of_hub_rows(_hub_rows(node, configuration, split), node, prefix, convert, named):
            if unique.setdefault(problem.id, problem) is not problem:
                raise UserError(
                    "dataset.columns.id",
                    problem.id,
                    "two rows have this id.",
                    "Name another column: dataset.columns.id=NAME",
                )
    named.refuse_absent()
    problems = list(unique.values())
    log_odd_golds(f"{node['name']}/{split}", problems)
    return problems


def problems_of_hub_rows(
    rows: Iterable[Mapping[str, Any]],
    node: Mapping[str, Any],
    prefix: str,
    convert: ConvertRow = row_to_problem,
    named: NamedColumns | None = None,
) -> Iterator[Problem]:
    """Yield the problems of hub rows; repeated questions and rows without an answer are counted and left out.

    Of a question the first row that has an answer is kept. What comes behind it counts as repeated, with or without.
    """
    reading, skip, deduplicate = RowReading.of(node), skips_unanswered_rows(node), bool(node.get("deduplicate"))
    seen: set[str] = set()
    named = named or NamedColumns(node)
    repeated = unanswered = 0
    for number, row in enumerate(rows):
        named.meet(row)
        try:
            question = raw_question(row, reading) if deduplicate else ""
            if question in seen:
                repeated += 1
                continue
            problem = convert(row, reading, f"{prefix}/{number}")
        except RowWithoutAnswer as fault:
            if not skip:
                raise _hub_row_error(number, named.explained(fault, row)) from fault
            unanswered += 1
        except UnconvertibleRow as fault:
            raise _hub_row_error(number, named.explained(fault, row)) from fault
        else:
            if deduplicate:  # only now: a row that is skipped stands for none of its question
                seen.add(question)
            yield problem
    log_rows_without_problem(prefix, reading, unanswered=unanswered, repeated=repeated)


def _hub_row_error(number: int, fault: UnconvertibleRow) -> UserError:
    return UserError(fault.key, None, f"row {number} {fault.problem}.", fault.remedy)


def _hub_rows(node: Mapping[str, Any], configuration: str | None, split: str) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a hub split, in batches: DAPO-Math-17k has 1.79 million."""
    loaded = _load_hub_dataset(node, configuration, split)
    for batch in loaded.iter(batch_size=1000):
        columns = list(batch)
        for values in zip(*batch.values(), strict=True):
            yield dict(zip(columns, values, strict=True))


def _load_hub_dataset(node: Mapping[str, Any], configuration: str | None, split: str) -> Any:
    """Load a hub split by `datasets`; UserError where it cannot be read."""
    import datasets
    from datasets.exceptions import DatasetsError

    name, revision = str(node["id"]), node.get("revision")
    try:
        return datasets.load_dataset(name, configuration, split=split, revision=revision)
    except ValueError as error:  # an unknown configuration or split
        raise UserError("dataset.splits", split, f"{name}: {_first_line_of_hub_error(error)}.", OFFLINE) from error
    except (OSError, DatasetsError) as error:  # connection errors of the hub's libraries are OSErrors
        raise UserError("dataset.id", name, f"cannot be read: {_first_line_of_hub_error(error)}.", OFFLINE) from error


def _first_line_of_hub_error(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__

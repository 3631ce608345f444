"""responses.jsonl: every completion of an evaluation with its verdict, flushed as it comes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tvo_cli.errors import UserError
from tvo_cli.tracking.atomic_files import written_whole

NAME = "responses.jsonl"
WHERE_THERE = ("pair", "strategy")  # fields that are written only where there is one


@dataclass(frozen=True, slots=True)
class GradedResponse:
    """One completion. `correct` is None where nothing has been graded yet."""

    suite: str
    id: str  # of the problem
    decoding: str  # sampled | greedy
    sample: int
    seed: int
    level: str
    subject: str
    gold: str
    prompt: str
    completion: str
    extracted: str | None
    correct: bool | None
    reason: str
    failed: bool  # the grader broke: no judgement
    tokens: int
    finish: str  # stop | length
    seconds: float  # its share of the generation time
    second: bool | None = None  # the second grader's verdict, in audit mode
    pair: dict[str, int] | None = None  # what it has cost of a small and a large model; written where there are two
    strategy: dict[str, Any] | None = (
        None  # which it was given, and what that took to read; written where one is chosen
    )

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What it is a completion of."""
        return self.suite, self.id, self.decoding, self.sample


class ResponsesFile(NamedTuple):
    """What a responses file holds, and what had to be repaired to read it."""

    responses: tuple[GradedResponse, ...]
    repair: str  # "" when nothing was wrong


def read_responses(path: Path) -> ResponsesFile:
    """Every whole line; a torn last line, left by a kill or a full disk, is passed over. Other damage is an error."""
    if not path.is_file():
        return ResponsesFile((), "")
    lines = path.read_bytes().split(b"\n")
    torn = lines.pop()
    found = [_response_of_line(line, path, number) for number, line in enumerate(lines, 1) if line.strip()]
    unique = {response.key: response for response in found}
    repair = (
        f"{path}: the last line was incomplete ({len(torn)} bytes); that completion is generated again" if torn else ""
    )
    return ResponsesFile(tuple(unique.values()), repair)


def _response_of_line(line: bytes, path: Path, number: int) -> GradedResponse:
    try:
        return GradedResponse(**json.loads(line))
    except (ValueError, TypeError) as error:
        remedy = "Restore it, or name another folder: output_dir=…"
        raise UserError("responses", path, f"line {number} is no response of tvo ({error}).", remedy) from error


def cut_torn_response(path: Path) -> None:
    """Cut a torn last line off the file."""
    data = path.read_bytes()
    with path.open("r+b") as file:
        file.truncate(data.rfind(b"\n") + 1)
        os.fsync(file.fileno())


def rewrite_responses(path: Path, responses: Iterable[GradedResponse]) -> None:
    """All of the file anew, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as file:
        file.writelines(_line(response).encode("ascii") for response in responses)


def append_responses(path: Path, responses: Iterable[GradedResponse]) -> None:
    """Add whole lines and see them onto the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="ascii") as file:
        file.writelines(map(_line, responses))
        file.flush()
        os.fsync(file.fileno())


def _line(response: GradedResponse) -> str:
    return json.dumps(_record(response)) + "\n"


def _record(response: GradedResponse) -> dict[str, object]:
    """A graded response of an evaluation as a line of responses.jsonl."""
    found = asdict(response)
    return {name: value for name, value in found.items() if name not in WHERE_THERE or value is not None}


def responses_by_problem(responses: Sequence[GradedResponse]) -> Mapping[str, list[GradedResponse]]:
    """By problem, in the order of the file; the samples of each in order."""
    found: dict[str, list[GradedResponse]] = {}
    for response in responses:
        found.setdefault(response.id, []).append(response)
    return {name: sorted(rows, key=lambda row: row.sample) for name, rows in found.items()}


def has_missing_verdicts(rows: Sequence[GradedResponse], audited: bool) -> bool:
    """Whether rows of responses.jsonl have no verdict: of a run that only predicted, or that asked no second grader."""
    unaudited = audited and all(row.second is None for row in rows)
    return unaudited or any(row.correct is None for row in rows)

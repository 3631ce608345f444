"""Remedies in a run folder of ours: the last policy before a finding, responses to read, a step to replay."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.kept_responses import numbered_responses
from tvo_cli.report.next_commands import shortest_path
from tvo_cli.report.run_folder_reading import stored_policies
from tvo_cli.tracking.recorded_steps import recorded_steps

SHOWN = 5  # rows of responses to read
BEST_REWARDED = ("reward_hacking", "all_right", "format_bought", "reward_composition", "problems_used_up")
LONGEST = ("length_bought", "truncation", "entropy_blow_up")
RESPONSES = re.compile(r"step-(\d+)\.jsonl")


def remedies_in_folder(folder: Path, finding: Finding) -> Iterator[Remedy]:
    """Yield where to go on from, what to read and what to replay."""
    policies = [(step, path) for step, path in stored_policies(folder) if step < finding.first_step]
    if policies:
        step, path = policies[-1]
        text = f"go on from the last checkpoint before it, of step {step}"
        yield Remedy(text, (f"model.path={shlex.quote(shortest_path(path))}",))
    yield from _responses_to_read(folder, finding)
    yield _replay(folder, finding)


def _replay(folder: Path, finding: Finding) -> Remedy:
    """The remedy of a step to replay: recorded, or to be recorded in the next run."""
    near = [step for step in recorded_steps(folder) if finding.first_step <= step <= finding.alarm_step]
    if near:
        command = f"tvo replay {shlex.quote(shortest_path(folder))} --step {near[0]}"
        return Remedy(f"live step {near[0]} again, and see whose gradient it was", command=command)
    wanted = f"recorder.steps=[{finding.first_step}]"
    return Remedy("have the step recorded in the next run, for tvo replay", (wanted,))


def _responses_to_read(folder: Path, finding: Finding) -> Iterator[Remedy]:
    """The remedy of responses to read: those of the step that shows a failure best."""
    files = [
        (int(found[1]), path) for path in (folder / "responses").glob("*") if (found := _step_of_responses_file(path))
    ]
    if not files:
        return
    late = [one for one in sorted(files) if one[0] >= finding.first_step]
    step, path = late[0] if late else max(files)
    rows = _rows_to_read(path, finding.failure)
    if rows:
        lines = ", ".join(map(str, rows))
        command = f"sed -n {shlex.quote(';'.join(f'{row}p' for row in rows))} {shlex.quote(shortest_path(path))}"
        yield Remedy(f"read rows {lines} of the responses of step {step}", command=command)


def _step_of_responses_file(path: Path) -> re.Match[str] | None:
    """The step in the name of a file of the run folder's responses."""
    return RESPONSES.fullmatch(path.name)


def _rows_to_read(path: Path, failure: str) -> list[int]:
    """Return the line numbers of the responses that show a failure best, one a problem."""
    rows: dict[str, tuple[float, int]] = {}
    for number, row in numbered_responses(path):
        weight = _weight_of_row_to_read(row, failure)
        best = rows.get(str(row.get("id")))
        if best is None or weight > best[0]:
            rows[str(row.get("id"))] = (weight, number)
    return [number for _, number in sorted(rows.values(), key=lambda one: (-one[0], one[1]))[:SHOWN]]


def _weight_of_row_to_read(row: Mapping[str, Any], failure: str) -> float:
    """How much a response shows a failure: its reward where reward is bought, its length, else its lack of reward."""
    reward, tokens = row.get("reward"), row.get("tokens")
    if failure in LONGEST:
        return float(tokens) if isinstance(tokens, int | float) else 0.0
    earned = float(reward) if isinstance(reward, int | float) else 0.0
    return earned if failure in BEST_REWARDED else -earned

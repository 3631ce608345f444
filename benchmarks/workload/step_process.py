"""A process that trains on a work and times each step, as the parent starts it and as its row in a record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import child_process
from benchmarks.harness.markdown import median
from benchmarks.harness.record import Fields, Row, by_name, number, numbers, text
from benchmarks.peers.environment import version
from benchmarks.workload.work import Work

SIDES = {"tvo": "benchmarks.workload.tvo_step", "trl": "benchmarks.peers.trl_step"}
PACKAGES = {"tvo": "tvo-cli", "trl": "trl"}
PARTS = ("generation", "log_probs", "update", "optimizer")
SECONDS = "s"
FIELDS: Fields = {
    "side": text("which trainer"),
    "version": text("its version"),
    "work": by_name("sizes of model, prompts and responses, see Work", "1"),
    "step": numbers("each measured step: a rollout with all its updates", SECONDS),
    "generation": numbers("of that: sampling the responses", SECONDS),
    "log_probs": numbers("of that: log-probabilities under the old policy, where they are computed anew", SECONDS),
    "update": numbers("of that: forward, backward, clipping and optimiser", SECONDS),
    "optimizer": numbers("of the update: the optimiser's step", SECONDS),
    "tokens": numbers("response tokens of each step", "tokens"),
    "import_s": number("importing the trainer", SECONDS),
    "base_mb": number("memory of the process before the first step", "MiB"),
    "peak_mb": number("memory of the process at most", "MiB"),
    "gpu_mb": number("tensors on the GPU at most", "MiB"),
    "micro_batch": number("responses of one forward pass; null: the trainer's default", "responses"),
    "readings": by_name("metrics of the last step", "as in docs/metrics.md"),
}


def measured(
    side: str, work: Work, folder: Path, words: Sequence[str] = (), *, python: str, core: str, **steps: Any
) -> Row:
    """One process of one side, with `steps`, `warm_up` and `clock`; times have a value a step."""
    command = [python, "-m", SIDES[side], *arguments(work, folder, words, **steps)]
    found = child_process.run(command, core)
    return row_of(found) | {"work": sizes_of(work), "version": version(python, PACKAGES[side])}


def arguments(work: Work, folder: Path, words: Sequence[str], **steps: Any) -> list[str]:
    """The words of a side's command line."""
    options = [word for name, value in steps.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return [str(folder), "--work", work.as_json(), *options, *words]


def sizes_of(work: Work) -> dict[str, int]:
    """The numbers of a work."""
    return {name: value for name, value in vars(work).items() if not isinstance(value, str)}


def row_of(found: dict[str, Any]) -> Row:
    """What a side printed, as the fields above without `side`."""
    rows = found["rows"]
    parts = {part: [row.get(part, 0.0) for row in rows] for part in (*PARTS, "step", "tokens")}
    rest = {"micro_batch": None, "readings": {}} | found
    return parts | {name: rest[name] for name in FIELDS.keys() & rest.keys() - {"side"}}


def median_parts(row: Row) -> dict[str, float]:
    """Of one process, in seconds: the step, its parts, and what is left."""
    parts = {name: row[name] for name in ("generation", "log_probs", "optimizer")}
    forward = [update - taken for update, taken in zip(row["update"], row["optimizer"], strict=True)]
    parts["forward_backward"] = forward
    spent = map(sum, zip(*parts.values(), strict=True))
    other = [step - taken for step, taken in zip(row["step"], spent, strict=True)]
    return {name: median(values) for name, values in (parts | {"step": row["step"], "other": other}).items()}


def turns(rows: Sequence[Row], one: str, other: str) -> list[tuple[Row, Row]]:
    """The rows of two sides, turn by turn: neighbours in time share the machine's mood."""
    return list(zip(*([row for row in rows if row["side"] == side] for side in (one, other)), strict=False))

"""Runs of other tools: TRL's trainer_state.json, or any JSON lines, through a mapping (docs/compare.md)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.report.run_loading import Run, parse_yaml_mapping
from tvo_cli.runs.trial import FINISHED, RATE, UNFINISHED, Trial
from tvo_cli.tracking import metrics_file

SEED = re.compile(r"(?:^|[-_,./=+])(?:seed|s)[-_=]?(\d+)(?=$|[-_,./+])")
GROUPS = {"algorithm": "algorithm.name", "seed": "seed", "lr": RATE}
TAKES = ("first", "last", "max")


@dataclass(frozen=True, slots=True)
class ToolMapping:
    """The mapping of another tool's file to a run: our metrics, settings and steps by its columns."""

    file: str = "metrics.jsonl"
    rows: str = ""  # the key of the JSON that holds the rows; none: the file is JSON lines
    step: str = "step"
    planned: str | int = 0  # steps that were asked for: a number, or the file's key
    metrics: Mapping[str, str] = field(default_factory=dict)  # ours: theirs
    settings: Mapping[str, Any] = field(default_factory=dict)  # ours: a value, or {column: theirs, take: max}
    path: str = ""  # a pattern for the path, with groups algorithm, seed, lr
    seconds: str = ""  # the column that holds the whole run's seconds


PLAIN = ToolMapping()
TRL = ToolMapping(
    file="trainer_state.json",
    rows="log_history",
    planned="max_steps",
    seconds="train_runtime",
    metrics={
        "reward/mean": "reward",
        "reward/std": "reward_std",
        "accuracy/fresh": "rewards/accuracy_reward/mean",
        "group/zero_advantage": "frac_reward_zero_std",
        "policy/entropy": "entropy",
        "policy/kl_ref": "kl",
        "response/length": "completions/mean_length",
        "response/truncated": "completions/clipped_ratio",
        "gradient/norm": "grad_norm",
        "optimizer/lr": "learning_rate",
        "tokens": "num_tokens",
        "time/step": "step_time",
        "eval/pass@1": "eval_rewards/accuracy_reward/mean",
        "eval/reward": "eval_reward",
    },
    settings={RATE: {"column": "learning_rate", "take": "max"}},
)


def read_tool_mapping(path: Path | None) -> ToolMapping:
    """Read the mapping of `--mapping`, YAML or JSON; PLAIN without one."""
    if path is None:
        return PLAIN
    if not path.is_file():
        raise UserError("--mapping", path, "there is no such file.")
    try:
        found = parse_yaml_mapping(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError("--mapping", path, "is neither YAML nor JSON.") from error
    known = {one.name for one in fields(ToolMapping)}
    wrong = sorted(set(found) - known)
    if wrong or not found:
        problem = f"has no key {wrong[0]}." if wrong else "holds no mapping."
        raise UserError("--mapping", path, problem, f"Keys: {', '.join(sorted(known))}.")
    return _check_tool_mapping(ToolMapping(**found), path)


def _check_tool_mapping(chosen: ToolMapping, path: Path) -> ToolMapping:
    if not isinstance(chosen.metrics, Mapping) or not isinstance(chosen.settings, Mapping):
        raise UserError("--mapping", path, "metrics and settings are mappings of our names.")
    for name, value in chosen.settings.items():
        if isinstance(value, Mapping) and ("column" not in value or value.get("take", "first") not in TAKES):
            remedy = f"A value, or {{column: theirs, take: {'|'.join(TAKES)}}}."
            raise UserError("--mapping", path, f"cannot read the setting {name}.", remedy)
    try:
        re.compile(chosen.path)
    except re.error as error:
        raise UserError("--mapping", path, f"path is no pattern: {error}.") from error
    return chosen


def read_other_tools_run(file: Path, name: str, source: str, chosen: ToolMapping) -> tuple[Trial, list[str]]:
    """Read a run of another tool, and what was wrong with its file."""
    document, rows, said = _rows_of_tool_file(file, chosen)
    run_rows = [_row_in_our_names(row, chosen) for row in rows if isinstance(row.get(chosen.step), int)]
    run = Run(
        folder=file.parent,
        config={},
        steps=_rows_merged_by_step(run_rows, evaluations=False),
        evaluations=_rows_merged_by_step(run_rows, evaluations=True),
        summary=_summary_of_tool_run(rows, chosen),
        collapse={},
    )
    settings = _settings_of_tool_run(rows, chosen, name)
    state, why, more = _state_of_tool_run(run, chosen, document)
    return Trial(name, source, run, settings, state, why), [*said, *more]


def _rows_of_tool_file(file: Path, chosen: ToolMapping) -> tuple[Mapping[str, Any], list[dict[str, Any]], list[str]]:
    """Read the rows of another tool's file, and what was wrong with it."""
    text = file.read_text(encoding="utf-8", errors="replace")
    if chosen.rows:
        try:
            document = json.loads(text)
        except ValueError:
            return {}, [], [f"{file.name} is not JSON; nothing of it can be read"]
        listed = document.get(chosen.rows) if isinstance(document, dict) else None
        if not isinstance(listed, list):
            return {}, [], [f"{file.name} has no list {chosen.rows}; nothing of it can be read"]
        return document, [row for row in listed if isinstance(row, dict)], []
    rows: list[dict[str, Any]] = []
    said: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            row = json.loads(line) if line.strip() else {}
        except ValueError:
            said.append(f"line {number} of {file.name} is not JSON; it is left out")
            continue
        rows += [row] if isinstance(row, dict) and row else []
    return {}, rows, said


def _row_in_our_names(row: Mapping[str, Any], chosen: ToolMapping) -> metrics_file.Row:
    """Return another tool's row with our names where the mapping has them."""
    theirs = {their: our for our, their in chosen.metrics.items()}
    out: metrics_file.Row = {"step": int(row[chosen.step])}
    for name, value in row.items():
        number = metrics_file.NOT_FINITE.get(value.lower()) if isinstance(value, str) else value
        if name != chosen.step and isinstance(number, int | float):
            out[theirs.get(name, re.sub(r"^eval_", "eval/", name))] = number
    return out


def _rows_merged_by_step(rows: Sequence[metrics_file.Row], *, evaluations: bool) -> list[metrics_file.Row]:
    """Return another tool's rows, one a step, in order, of one kind."""
    found: dict[int, metrics_file.Row] = {}
    for row in rows:
        part = {
            name: value for name, value in row.items() if name != "step" and name.startswith("eval/") == evaluations
        }
        if part:
            found.setdefault(row["step"], {"step": row["step"]}).update(part)
    return [found[step] for step in sorted(found)]


def _settings_of_tool_run(rows: Sequence[Mapping[str, Any]], chosen: ToolMapping, name: str) -> dict[str, Any]:
    """Return the settings of another tool's run: what the mapping says, over what the path's name says."""
    seed = SEED.search(name)
    stem = SEED.sub("", name).strip("-_,./+ ") if seed else name
    found: dict[str, Any] = {"algorithm.name": stem or name} | ({"seed": int(seed.group(1))} if seed else {})
    matched = re.search(chosen.path, name) if chosen.path else None
    for group, text in (matched.groupdict() if matched else {}).items():
        found[GROUPS.get(group, group)] = _parse_setting_in_path(text or "")
    for key, value in chosen.settings.items():
        taken = _setting_from_column(rows, value) if isinstance(value, Mapping) else value
        if taken is not None:
            found[key] = taken
    return found


def _parse_setting_in_path(text: str) -> Any:
    """Return a setting that the path's pattern found, as a number where it is one."""
    try:
        return float(text) if not text.isdigit() else int(text)
    except ValueError:
        return text


def _setting_from_column(rows: Sequence[Mapping[str, Any]], how: Mapping[str, Any]) -> Any:
    """Return a setting from a column; a number to three digits, so that seeds logged at other steps agree."""
    values = [row[how["column"]] for row in rows if row.get(how["column"]) is not None]
    if not values:
        return None
    take = how.get("take", "first")
    value = max(values) if take == "max" else values[0 if take == "first" else -1]
    return float(f"{value:.3g}") if isinstance(value, float) and math.isfinite(value) else value


def _summary_of_tool_run(rows: Sequence[Mapping[str, Any]], chosen: ToolMapping) -> dict[str, Any]:
    found = [row[chosen.seconds] for row in rows if chosen.seconds and chosen.seconds in row]
    return {"seconds": float(found[-1])} if found else {}


def _state_of_tool_run(run: Run, chosen: ToolMapping, document: Mapping[str, Any]) -> tuple[str, str, list[str]]:
    """Return the state of another tool's run, by the steps it was to have."""
    planned = document.get(chosen.planned, 0) if isinstance(chosen.planned, str) else chosen.planned
    done = max((int(row["step"]) for row in (*run.steps, *run.evaluations)), default=0)
    if not done:
        return UNFINISHED, "no step was recorded", []
    if not planned:
        return FINISHED, "", ["its planned number of steps is unknown; it counts as finished"]
    if done >= int(planned):
        return FINISHED, "", []
    return UNFINISHED, f"{done} of {planned} steps", []

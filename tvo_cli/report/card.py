"""The closing card: what happened, was it stable, how good is it, where things are, what to type next."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tvo_cli import escaping
from tvo_cli.report.runs import Run, firings
from tvo_cli.tracking.spark import duration, figure, sparkline

LABEL = 12


def lines(run: Run) -> list[str]:
    """The card, line by line."""
    config = run.config
    seed = f"seed {config.get('seed', '?')}"
    title = " · ".join((run.algorithm, _name(config, "model"), _name(config, "dataset"), seed))
    return ["", *map(escaping.terminal, [title, "─" * len(title), *_entries(run)]), ""]


def text(run: Run) -> str:
    """The card."""
    return "\n".join(lines(run)) + "\n"


def _entries(run: Run) -> Iterator[str]:
    for label, content in (
        ("what", _happened(run)),
        ("reward", _curve(run, "reward/mean")),
        ("entropy", _curve(run, "policy/entropy")),
        ("stability", _verdict(run)),
        ("evaluation", _evaluation(run)),
        ("grader", _grader(run)),
        ("where", _where(run)),
        ("next", _next(run)),
    ):
        parts = content if isinstance(content, list) else [content]
        for index, part in enumerate(part for part in parts if part):
            yield f"{label if index == 0 else '':<{LABEL}}{part}"


def _happened(run: Run) -> str:
    planned = int(run.config.get("trainer", {}).get("steps", 0))
    done = int(run.summary.get("steps", len(run.steps)))
    count = f"{done} steps" if done >= planned else f"{done} of {planned} steps"
    rollouts, seconds = run.summary.get("rollouts"), run.summary.get("seconds")
    parts = [
        count,
        f"{rollouts:,} rollouts" if rollouts else "",
        duration(float(seconds)) if seconds is not None else "",
    ]
    _, fresh = run.curve("accuracy/fresh")
    moved = f"; accuracy on fresh rollouts {figure(fresh[0])} → {figure(fresh[-1])}" if fresh else ""
    return ", ".join(part for part in parts if part) + moved


def _curve(run: Run, name: str) -> str:
    _, values = run.curve(name)
    return f"{sparkline(values, 40)}  {figure(values[0])} → {figure(values[-1])}" if values else ""


def _verdict(run: Run) -> list[str]:
    found = firings(run)
    skipped, rollbacks = run.summary.get("skipped_updates"), run.summary.get("rollbacks")
    notes = [f"{skipped} updates were skipped: their gradient was not finite" if skipped else ""]
    notes.append(f"rolled back {rollbacks} times" if rollbacks else "")
    if not run.collapse:
        return ["not watched", *notes]
    word = str(run.collapse.get("verdict", "?"))
    if not found:
        return [f"{word}: no rule fired", *notes]
    at = run.collapse.get("collapsed_at")
    return [word + (f" at step {at}" if at is not None else ""), *(_fired(one) for one in found), *notes]


def _fired(found: Mapping[str, Any]) -> str:
    value, threshold = found.get("value"), found.get("threshold")
    numbers = ""
    if isinstance(value, int | float) and isinstance(threshold, int | float):
        numbers = f" ({figure(float(value))} against {figure(float(threshold))})"
    return f"⚠ {found.get('rule', '?')} fired first at step {found.get('step', '?')}{numbers}"


def _evaluation(run: Run) -> str:
    rows = run.evaluations
    if not rows:
        return "none (evaluation=off)"
    first, last = rows[0], rows[-1]
    confidence = float(run.config.get("evaluation", {}).get("confidence", 0.95))
    shown = f"pass@1 {_interval(last)} on held-out problems ({confidence:.0%} interval)"
    return shown if len(rows) == 1 else f"{shown}; before training {_interval(first)}"


def _interval(row: Mapping[str, Any]) -> str:
    low, high = row.get("eval/pass@1_low"), row.get("eval/pass@1_high")
    interval = f" [{figure(low)}, {figure(high)}]" if low is not None and high is not None else ""
    return f"{figure(row.get('eval/pass@1'))}{interval}"


def _grader(run: Run) -> str:
    failed = sum(int(row.get("grader/failed", 0)) for row in run.steps)
    return f"⚠ could not judge {failed} responses; they are counted in grader/failed" if failed else ""


def _where(run: Run) -> list[str]:
    folder = shown(run.folder)
    policy = _newest(run.folder)
    return [
        f"{folder}/",
        "  metrics.jsonl  summary.json  collapse.json  responses/  run.log",
        "  figures/run.svg" if (run.folder / "figures" / "run.svg").exists() else "",
        f"  {policy.relative_to(run.folder)}  (the trained model, hub format)" if policy else "",
    ]


def _newest(folder: Path) -> Path | None:
    steps = sorted((folder / "checkpoints").glob("step-*")) if (folder / "checkpoints").is_dir() else []
    return next((step / "policy" for step in reversed(steps) if (step / "policy").is_dir()), None)


def _next(run: Run) -> list[str]:
    model = _newest(run.folder)
    rival = "grpo" if run.algorithm != "grpo" else "tvo"
    evaluate = f"tvo eval {override('model.path', shown(model))}" if model else ""
    return [evaluate, f"tvo train algorithm={rival} {_same(run)}".rstrip()]


def _same(run: Run) -> str:
    """The overrides that make a rival's run comparable."""
    config = run.config
    choices: Sequence[str] = [
        f"{group}={_name(config, group)}"
        for group, default in (("model", "tiny"), ("dataset", "arithmetic"))
        if _name(config, group) != default
    ]
    seed = config.get("seed", 0)
    return " ".join([*choices, *([f"seed={seed}"] if seed else [])])


def _name(config: Mapping[str, Any], group: str) -> str:
    return str(config.get(group, {}).get("name", "?"))


def shown(path: Path) -> str:
    """A path as short as it can be typed from here."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)


def override(key: str, value: str) -> str:
    """`key=value` for a shell and for Hydra: quoted when the value has characters that either reads."""
    if re.fullmatch(r"[\w./+-]+", value):
        return f"{key}={value}"
    return shlex.quote(f"{key}='{value}'")

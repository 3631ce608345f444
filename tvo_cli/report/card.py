"""The closing card: what happened, was it stable, how good is it, where things are, what to type next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from tvo_cli import escaping
from tvo_cli.report.next_commands import next_commands, remark, shown, wrapped
from tvo_cli.report.runs import Run, firings
from tvo_cli.tracking.sparkline import duration, figure, sparkline

LABEL = 12
CURVE, LEAST_CURVE = 40, 8  # blocks of a curve, and on a narrow terminal
WIDTH = 100  # of card.txt


def lines(run: Run, width: int = WIDTH) -> list[str]:
    """The card, line by line, broken between words."""
    config = run.config
    seed = f"seed {config.get('seed', '?')}"
    title = " · ".join((run.algorithm, _name(config, "model"), _name(config, "dataset"), seed))
    heading = wrap(escaping.terminal(title), width, break_long_words=False)
    return ["", *heading, "─" * min(max(map(len, heading)), width), *_entries(run, max(width - LABEL, 20)), ""]


def text(run: Run, width: int = WIDTH) -> str:
    """The card."""
    return "\n".join(lines(run, width)) + "\n"


def _entries(run: Run, room: int) -> Iterator[str]:
    for label, content in (
        ("what", _happened(run)),
        ("reward", _curve(run, "reward/mean", room)),
        ("entropy", _curve(run, "policy/entropy", room)),
        ("stability", _verdict(run)),
        ("evaluation", _evaluation(run)),
        ("grader", _grader(run)),
        ("where", _where(run)),
    ):
        parts = content if isinstance(content, list) else [content]
        yield from _labelled(label, [line for part in parts if part for line in _broken(part, room)])
    commands = [[*map(escaping.terminal, words)] for words in next_commands(run, _newest(run.folder))]
    typed = [line for words in commands for line in wrapped(words, room)]
    yield from _labelled("next", [*typed, *(_broken(remark(run.config), room) if _newest(run.folder) else ())])


def _labelled(label: str, broken: Sequence[str]) -> Iterator[str]:
    yield from (f"{label if index == 0 else '':<{LABEL}}{line}" for index, line in enumerate(broken))


def _broken(part: str, room: int) -> Sequence[str]:
    """Lines of at most `room` characters, broken between words: a path stays whole."""
    shown = escaping.terminal(part)
    indent = " " * (len(shown) - len(shown.lstrip()) + 2)
    return wrap(shown, room, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


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


def _curve(run: Run, name: str, room: int) -> str:
    _, values = run.curve(name)
    if not values:
        return ""
    ends = f"  {figure(values[0])} → {figure(values[-1])}"
    return sparkline(values, max(min(CURVE, room - len(ends)), LEAST_CURVE)) + ends


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


def _name(config: Mapping[str, Any], group: str) -> str:
    return str(config.get(group, {}).get("name", "?"))

"""The card of a run (card.txt): what happened, whether it was stable, how good it is, what to type next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from tvo_cli import escaping
from tvo_cli.report.next_commands import next_commands, shortest_path, wrap_next_command
from tvo_cli.report.run_folder_reading import LoadedRun, collapse_firings, last_healthy_policy, newest_policy
from tvo_cli.tracking.terminal.console_numbers import format_duration, format_plain_number, sparkline

LABEL = 12
CURVE, LEAST_CURVE = 40, 8  # blocks of a curve, and on a narrow terminal
WIDTH = 100  # of card.txt


def card_lines(run: LoadedRun, width: int = WIDTH) -> list[str]:
    """Return the card of a run, line by line, broken between words."""
    config = run.config
    seed = f"seed {config.get('seed', '?')}"
    title = " · ".join(
        (run.algorithm, _chosen_name_on_card(config, "model"), _chosen_name_on_card(config, "dataset"), seed)
    )
    heading = wrap(escaping.terminal(title), width, break_long_words=False)
    return ["", *heading, "─" * min(max(map(len, heading)), width), *_card_entries(run, max(width - LABEL, 20)), ""]


def card_text(run: LoadedRun, width: int = WIDTH) -> str:
    """Return the card of a run."""
    return "\n".join(card_lines(run, width)) + "\n"


def _card_entries(run: LoadedRun, room: int) -> Iterator[str]:
    """Yield the card's entries: what, reward, entropy, stability, evaluation, grader, where, next."""
    for label, content in (
        ("what", _steps_and_time(run)),
        ("reward", _curve_text(run, "reward/mean", room)),
        ("entropy", _curve_text(run, "policy/entropy", room)),
        ("stability", _stability_verdict(run)),
        ("evaluation", _evaluation_text(run)),
        ("grader", _grader_text(run)),
        ("where", _files_of_run(run)),
    ):
        parts = content if isinstance(content, list) else [content]
        yield from _labelled_card_lines(label, [line for part in parts if part for line in _wrap_entry(part, room)])
    policy = newest_policy(run.folder)
    commands = [[*map(escaping.terminal, words)] for words in next_commands(run, policy)]
    typed = [line for words in commands for line in wrap_next_command(words, room)]
    yield from _labelled_card_lines("next", typed)


def _labelled_card_lines(label: str, broken: Sequence[str]) -> Iterator[str]:
    yield from (f"{label if index == 0 else '':<{LABEL}}{line}" for index, line in enumerate(broken))


def _wrap_entry(part: str, room: int) -> Sequence[str]:
    """Return an entry of the card in lines of at most `room` characters; a path stays whole."""
    shown = escaping.terminal(part)
    indent = " " * (len(shown) - len(shown.lstrip()) + 2)
    return wrap(shown, room, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _steps_and_time(run: LoadedRun) -> str:
    """Return the card's first entry: steps, rollouts, time, and how far the accuracy moved."""
    planned = int(run.config.get("trainer", {}).get("steps", 0))
    done = int(run.summary.get("steps", len(run.steps)))
    count = f"{done} steps" if done >= planned else f"{done} of {planned} steps"
    rollouts, seconds = run.summary.get("rollouts"), run.summary.get("seconds")
    parts = [
        count,
        f"{rollouts:,} rollouts" if rollouts else "",
        format_duration(float(seconds)) if seconds is not None else "",
    ]
    _, fresh = run.curve("accuracy/fresh")
    moved = (
        f"; accuracy on fresh rollouts {format_plain_number(fresh[0])} → {format_plain_number(fresh[-1])}"
        if fresh
        else ""
    )
    return ", ".join(part for part in parts if part) + moved


def _curve_text(run: LoadedRun, name: str, room: int) -> str:
    """Return a metric's curve on the card: a sparkline with its ends."""
    _, values = run.curve(name)
    if not values:
        return ""
    ends = f"  {format_plain_number(values[0])} → {format_plain_number(values[-1])}"
    return sparkline(values, max(min(CURVE, room - len(ends)), LEAST_CURVE)) + ends


def _stability_verdict(run: LoadedRun) -> list[str]:
    """Return the card's entry on stability: the verdict, the rules that fired, skipped updates, rollbacks."""
    found = collapse_firings(run)
    skipped, rollbacks = run.summary.get("skipped_updates"), run.summary.get("rollbacks")
    notes = [_skipped_text(run, int(skipped)) if skipped else ""]
    notes.append(f"rolled back {rollbacks} times" if rollbacks else "")
    notes.append(_refusals_text(run))
    if not run.collapse:
        return ["not watched", *notes]
    word = str(run.collapse.get("verdict", "?"))
    word += " by its rules, but updates were skipped" if skipped and word == "healthy" else ""
    if not found:
        return [f"{word}: no rule fired", *notes]
    at = run.collapse.get("collapsed_at")
    return [word + (f" at step {at}" if at is not None else ""), *(_fired_rule(one) for one in found), *notes]


def _refusals_text(run: LoadedRun) -> str:
    """Return which updates stability.refuse took back, and what that cost; "" where it was off."""
    refusals = run.collapse.get("refusals")
    if refusals is None:
        return ""
    if not refusals:
        return "no update refused"
    steps = ", ".join(str(one.get("step", "?")) for one in refusals)
    lost = run.collapse.get("batches_lost", "?")
    times = "1 update" if len(refusals) == 1 else f"{len(refusals)} times updates"
    return f"⚠ {times} refused, up to step {steps}; {lost} batches left no trace"


def _skipped_text(run: LoadedRun, skipped: int) -> str:
    """Return how many updates were skipped, and whether any was taken."""
    _, taken = run.curve("optimizer/steps")
    if taken and not any(taken):
        return f"⚠ all {skipped} updates were skipped, so nothing was learnt: their gradient was not finite"
    return f"⚠ {skipped} updates were skipped: their gradient was not finite"


def _fired_rule(found: Mapping[str, Any]) -> str:
    """The card's line on the collapse rule that fired first, with its value and threshold."""
    value, threshold = found.get("value"), found.get("threshold")
    numbers = ""
    if isinstance(value, int | float) and isinstance(threshold, int | float):
        numbers = f" ({format_plain_number(float(value))} against {format_plain_number(float(threshold))})"
    return f"⚠ {found.get('rule', '?')} fired first at step {found.get('step', '?')}{numbers}"


def _evaluation_text(run: LoadedRun) -> str:
    """Return the card's entry on the evaluation: pass@1 with its interval."""
    rows = run.evaluations
    if not rows:
        return "none (evaluation=off)"
    first, last = rows[0], rows[-1]
    confidence = float(run.config.get("evaluation", {}).get("confidence", 0.95))
    shown = f"pass@1 {_card_pass_at_1(last)} on held-out problems ({confidence:.0%} interval)"
    return shown if len(rows) == 1 else f"{shown}; before training {_card_pass_at_1(first)}"


def _card_pass_at_1(row: Mapping[str, Any]) -> str:
    low, high = row.get("eval/pass@1_low"), row.get("eval/pass@1_high")
    interval = (
        f" [{format_plain_number(low)}, {format_plain_number(high)}]" if low is not None and high is not None else ""
    )
    return f"{format_plain_number(row.get('eval/pass@1'))}{interval}"


def _grader_text(run: LoadedRun) -> str:
    """Return the card's entry on responses that the grader could not judge."""
    failed = sum(int(row.get("grader/failed", 0)) for row in run.steps)
    return f"⚠ could not judge {failed} responses; they are counted in grader/failed" if failed else ""


def _files_of_run(run: LoadedRun) -> list[str]:
    """Return the card's entry on where the run's files are."""
    folder = shortest_path(run.folder)
    policy = newest_policy(run.folder)
    return [
        f"{folder}/",
        "  metrics.jsonl  summary.json  collapse.json  responses/  run.log",
        "  figures/run.svg" if (run.folder / "figures" / "run.svg").exists() else "",
        f"  {policy.relative_to(run.folder)}  ({_kind_of_policy(policy)})" if policy else "",
        *_healthy_policy_on_card(run),
    ]


def _healthy_policy_on_card(run: LoadedRun) -> list[str]:
    """Return the line on the last healthy policy of a run that collapsed."""
    last = run.collapse.get("last_healthy_policy")
    if last is None:
        return []
    policy = last_healthy_policy(run)
    if policy is not None:
        return [f"  {policy.relative_to(run.folder)}  (the last healthy one)"]
    start = f"model.path={run.config.get('model', {}).get('path', '?')}"
    if last == 0:
        return [f"  the last healthy policy is the start: {start}, before any update"]
    trainer = run.config.get("trainer", {})
    settings = ", ".join(f"trainer.{name}={trainer.get(name, '?')}" for name in ("checkpoint_every", "keep"))
    return [f"  the last healthy policy, that of step {last}, was not saved ({settings}); the start: {start}"]


def _kind_of_policy(policy: Path) -> str:
    """Return what the card calls a policy's folder: an adapter or a whole model."""
    model = (policy / "config.json").is_file()
    return "the trained model, hub format" if model else "the trained adapter, peft's format; tvo export merges it"


def _chosen_name_on_card(config: Mapping[str, Any], group: str) -> str:
    """Return the name of a group's choice, for the card's heading."""
    return str(config.get(group, {}).get("name", "?"))

"""The words of a diagnosis that every format shares: what a run is, since when, what it cost, what was not examined."""

from __future__ import annotations

from collections.abc import Iterator

from tvo_cli.diagnosis.diagnosis import HEALTHY, UNKNOWN, Diagnosis
from tvo_cli.diagnosis.finding import Cost, Finding
from tvo_cli.diagnosis.registry import BY_NAME

TRAINERS = {"tvo": "tvo train", "trl": "TRL", "verl": "verl", "prime-rl": "prime-rl", "tvo-sft": "tvo sft"}


def headline(diagnosis: Diagnosis) -> str:
    """Return a run's name, its trainer, its steps and the verdict: `run (TRL, 200 steps): critical`."""
    facts, log = diagnosis.log.facts, diagnosis.log
    planned = f" of {log.budget}" if log.budget > log.last_step else ""
    trainer = TRAINERS.get(facts.tool, "another trainer")
    steps = "step" if log.last_step == 1 and not planned else "steps"
    return f"{facts.name} ({trainer}, {log.last_step}{planned} {steps}): {diagnosis.verdict}"


def verdict_summary(diagnosis: Diagnosis) -> str:
    """Return one sentence for a verdict without a finding."""
    if diagnosis.verdict == UNKNOWN:
        return "Nothing can be said: the log is too short, or the columns that a diagnosis reads are missing."
    return "No failure was found." if diagnosis.verdict == HEALTHY and not diagnosis.findings else ""


def title(finding: Finding) -> str:
    """Return a failure's name, its severity and since when."""
    over = "" if finding.active else f", over since step {finding.last_step + 1}"
    return f"{finding.failure} · {finding.severity} · since step {finding.first_step}{over}"


def meaning(finding: Finding) -> str:
    """Return what the failure means, in one sentence."""
    return BY_NAME[finding.failure].meaning if finding.failure in BY_NAME else ""


def cost_text(cost: Cost | None) -> str:
    """Return what was spent since: `20 steps, 2,560 rollouts, 36,032 tokens, 0.02 h, 67% of the budget`."""
    return ", ".join(_cost_parts(cost)) if cost else ""


def _cost_parts(cost: Cost) -> Iterator[str]:
    yield f"{cost.steps} step{'' if cost.steps == 1 else 's'}"
    if cost.rollouts is not None:
        yield f"{cost.rollouts:,.0f} rollouts"
    if cost.tokens is not None:
        yield f"{cost.tokens:,.0f} tokens"
    if cost.hours is not None:
        yield f"{cost.hours:.2g} h" if cost.hours < 10 else f"{cost.hours:.0f} h"
    if cost.share is not None:
        yield f"{cost.share:.0%} of the budget"


def unexamined(diagnosis: Diagnosis) -> str:
    """Return which failures were not looked for, and for want of which columns."""
    if not diagnosis.not_examined:
        return ""
    by_column: dict[str, list[str]] = {}
    for failure, columns in diagnosis.not_examined.items():
        by_column.setdefault(" and ".join(columns), []).append(failure)
    parts = [f"{', '.join(failures)} (no {columns})" for columns, failures in by_column.items()]
    return f"Not looked for: {'; '.join(parts)}."

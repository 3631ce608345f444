"""The cost of a finding, read from its log: steps, rollouts, tokens and hours since its first step."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tvo_cli.diagnosis.finding import Cost, Finding
from tvo_cli.diagnosis.training_log import Row, TrainingLog

ROLLOUTS, TOKENS, TOKENS_OF_STEP, SECONDS, LENGTH = "rollouts", "tokens", "tokens/step", "time/step", "response/length"


def cost_of_finding(log: TrainingLog, finding: Finding) -> Cost:
    """Return what was spent from the first step of a finding to its last, or to the end while it is active."""
    end = log.last_step if finding.active else finding.last_step
    rows = [row for row in log.rows if finding.first_step <= row["step"] <= end]
    before = [row for row in log.rows if row["step"] < finding.first_step]
    steps = max(end - finding.first_step + 1, 0)
    every = log.facts.responses
    rollouts = _growth_of_count(before, rows, ROLLOUTS)
    rollouts = float(every * steps) if rollouts is None and every else rollouts
    each = steps / len(rows) if rows else 1.0  # steps that a row stands for: a trainer may log every tenth
    return Cost(
        steps=steps,
        rollouts=rollouts,
        tokens=_tokens(before, rows, rollouts, each),
        hours=_sum(rows, SECONDS, each / 3600.0),
        share=min(steps / log.budget, 1.0) if log.budget else None,
    )


def _tokens(before: Sequence[Row], rows: Sequence[Row], rollouts: float | None, each: float) -> float | None:
    """Return the tokens that were spent since a failure's first step; None where the log does not say."""
    grown = _growth_of_count(before, rows, TOKENS)
    counted = _sum(rows, TOKENS_OF_STEP, each) if grown is None else grown
    if counted is not None or rollouts is None:
        return counted
    lengths = _finite_values_of_column(rows, LENGTH)
    return rollouts * math.fsum(lengths) / len(lengths) if lengths else None


def _growth_of_count(before: Sequence[Row], rows: Sequence[Row], name: str) -> float | None:
    """What a cost by a growing count came to: how much it has grown since the step before."""
    end = _last_finite_value(rows, name)
    return None if end is None else end - (_last_finite_value(before, name) or 0.0)


def _last_finite_value(rows: Sequence[Row], name: str) -> float | None:
    """The last finite value of a column that counts a cost; None where it has none."""
    return next((row[name] for row in reversed(rows) if name in row and math.isfinite(row[name])), None)


def _sum(rows: Sequence[Row], name: str, factor: float) -> float | None:
    """What a column's cost comes to, in units of `factor`; None where the log has none."""
    found = _finite_values_of_column(rows, name)
    return math.fsum(found) * factor if found else None


def _finite_values_of_column(rows: Sequence[Row], name: str) -> list[float]:
    """The finite values of a column that a cost is summed over."""
    return [row[name] for row in rows if name in row and math.isfinite(row[name])]

"""Counters of a run, advanced step by step."""

from __future__ import annotations

from tvo_cli.training.session import Session
from tvo_cli.training.step_state import Work


def count(session: Session, work: Work, metrics: dict[str, float]) -> None:
    """Advance the counters and add them to the step's metrics."""
    counters, report = session.counters, work.report
    counters.step += 1
    counters.rollouts += work.batch.drawn.responses
    counters.tokens += work.batch.drawn.tokens
    counters.skipped += report.skipped
    earlier = 0 if report.norms else counters.skipped_in_a_row
    counters.skipped_in_a_row = earlier + report.skipped_last
    counters.poisoned = bool(report.nonfinite)
    if metrics["accuracy/fresh"] > counters.best_accuracy:
        counters.best_accuracy, counters.best_step = metrics["accuracy/fresh"], counters.step
    counters.score = None if session.limits.evaluate_every else metrics["accuracy/fresh"]
    metrics |= {"rollouts": float(counters.rollouts), "tokens": float(counters.tokens)}

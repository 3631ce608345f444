"""Counters of a run: where it is, and how they advance step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tvo_cli.training.session import Session
    from tvo_cli.training.step_state import StepInProgress


@dataclass(slots=True)
class RunCounters:
    """Counters of a run: steps, rollouts, tokens, skipped updates, rollbacks, best accuracy."""

    step: int = 0  # rollout batches done
    rollouts: int = 0
    tokens: int = 0
    skipped: int = 0
    skipped_in_a_row: int = 0
    rollbacks: int = 0
    refused: int = 0  # times that updates were taken back (training/refused_updates.py)
    lost: int = 0  # rollout batches without a trace in the policy for it
    best_accuracy: float = -1.0
    best_step: int = -1
    score: float | None = None  # pass@1 of this step's evaluation; where none is due, fresh accuracy
    poisoned: bool = False  # whether something of the last batch was not finite
    halved_step: int = -1  # since when micro-batches are halved (training/update/out_of_memory.py); −1: they are not
    halved_at: int = 0  # of that step, twice the number of the update, and 1 where its critic had been computed whole

    def halving(self) -> dict[str, int]:
        """Since when micro-batches are halved."""
        return {"halved_step": self.halved_step, "halved_at": self.halved_at}


def advance_counters(session: Session, work: StepInProgress, metrics: dict[str, float]) -> None:
    """Advance the counters and add them to the step's metrics."""
    counters, report = session.counters, work.report
    counters.step += 1
    counters.rollouts += work.batch.drawn.responses
    counters.tokens += work.batch.drawn.tokens
    counters.skipped += report.skipped + work.replay_report.skipped
    earlier = 0 if report.norms else counters.skipped_in_a_row
    counters.skipped_in_a_row = earlier + report.skipped_last
    counters.poisoned = bool(report.nonfinite or work.replay_report.nonfinite)
    # a refused batch tells of a policy that is no more: it is neither the best nor the score
    if metrics["accuracy/fresh"] > counters.best_accuracy and not work.refused:
        counters.best_accuracy, counters.best_step = metrics["accuracy/fresh"], counters.step
    unscored = session.limits.scored_by_evaluation or work.refused
    counters.score = None if unscored else metrics["accuracy/fresh"]
    metrics |= {"rollouts": float(counters.rollouts), "tokens": float(counters.tokens)}

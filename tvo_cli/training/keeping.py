"""What a run keeps: counters, responses, checkpoints; and what it does when a collapse rule fires."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from tvo_cli.evaluation import Evaluation
from tvo_cli.stability import Action
from tvo_cli.tracking.run_folder import write_json, write_rows
from tvo_cli.training import checkpoint
from tvo_cli.training.batch import Batch
from tvo_cli.training.session import Session
from tvo_cli.training.update import UpdateReport

log = logging.getLogger("tvo")
RESPONSES_KEPT = 16  # a step, of the steps that are kept
RESPONSES_EVERY = 10


class Interrupted(Exception):
    """A signal asked for a stop; everything is saved."""

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        super().__init__(f"interrupted; saved {checkpoint}")


def count(session: Session, batch: Batch, report: UpdateReport, metrics: dict[str, float]) -> None:
    """Advance the counters and add them to the step's metrics."""
    counters = session.counters
    counters.step += 1
    counters.rollouts += len(batch.verdicts)
    counters.tokens += int(batch.rollout.mask.sum())
    counters.skipped += report.skipped
    counters.skipped_in_a_row = counters.skipped_in_a_row + report.skipped if not report.norms else 0
    if metrics["accuracy/fresh"] > counters.best_accuracy:
        counters.best_accuracy, counters.best_step = metrics["accuracy/fresh"], counters.step
    metrics |= {"rollouts": float(counters.rollouts), "tokens": float(counters.tokens)}


def watch(session: Session, metrics: dict[str, float]) -> Action:
    """Show the step to the collapse rules; alert, roll back or stop as they decide."""
    step = session.counters.step
    for firing in session.watch.observe(step, metrics):
        session.tracker.alert(firing.rule, firing.message)
    action = session.watch.decide()
    if session.counters.skipped_in_a_row >= session.limits.nonfinite_limit:
        session.tracker.alert("nonfinite", f"{session.counters.skipped_in_a_row} updates skipped in a row")
        action = Action.STOP
    if action is Action.ROLLBACK:
        _roll_back(session)
    elif session.limits.snapshot_every and step % session.limits.snapshot_every == 0 and session.watch.healthy:
        session.photograph()
    metrics["stability/rollbacks"] = float(session.counters.rollbacks)
    write_json(session.folder / "collapse.json", session.watch.verdict())
    return action


def _roll_back(session: Session) -> None:
    """Put the last healthy weights, optimiser and algorithm state back, and raise the viscosity."""
    if session.snapshot is None:
        return
    tensors, state = session.snapshot
    session.restore_learner(tensors["policy"], tensors, state)
    session.counters.rollbacks += 1
    session.learner.algorithm.step_rule.thicken(session.limits.thicken**session.counters.rollbacks)
    session.watch.rolled_back(session.counters.step)
    healthy = state["counters"]["step"]
    session.tracker.alert("rollback", f"restored the policy of step {healthy}; viscosity raised")


def save(session: Session) -> Path:
    """Write a checkpoint and prune the old ones; a checkpoint of this very step is not written twice."""
    root = session.folder / "checkpoints"
    step = session.counters.step
    folder = checkpoint.save(
        root,
        step,
        policy=session.learner.policy.save,
        tensors=session.tensors(),
        state=session.state(),
    )
    checkpoint.prune(root, session.limits.keep)
    return folder


def resume(session: Session) -> Path | None:
    """Continue from the newest whole checkpoint of the run folder, if there is one."""
    folder = checkpoint.newest(session.folder / "checkpoints", log.warning)
    if folder is None:
        return None
    parts, state = checkpoint.load(folder)
    policy = load_file(folder / "policy" / "model.safetensors")
    session.restore(_with_tied(session, policy), parts, state)
    session.tracker.rewind(session.counters.step)
    return folder


def _with_tied(session: Session, saved: dict[str, Any]) -> dict[str, Any]:
    """Add the tied weights that the hub format leaves out."""
    current = session.learner.policy.network.state_dict()
    shared = {value.data_ptr(): name for name, value in current.items() if name in saved}
    return {name: saved.get(name, saved.get(shared.get(value.data_ptr(), ""))) for name, value in current.items()}


def remember_responses(session: Session, step: int, batch: Batch) -> None:
    """A few responses of every tenth step, with verdicts, for a reader's eyes."""
    if step % RESPONSES_EVERY:
        return
    lengths = batch.rollout.mask.sum(1).tolist()
    rows = [
        {
            "id": batch.problems[p].id,
            "question": batch.problems[p].question,
            "gold": batch.problems[p].answer,
            "completion": batch.rollout.texts[row],
            "extracted": batch.verdicts[row].extracted,
            "correct": batch.verdicts[row].correct,
            "reason": batch.verdicts[row].reason,
            "reward": float(batch.experience.rewards[row]),
            "tokens": lengths[row],
        }
        for row, p in enumerate(batch.rollout.group.tolist()[:RESPONSES_KEPT])
    ]
    write_rows(session.folder / "responses" / f"{checkpoint.name(step)}.jsonl", rows)


def remember_evaluation(session: Session, evaluation: Evaluation) -> None:
    """Every completion of an evaluation."""
    name = f"evaluation-{checkpoint.name(session.counters.step)}.jsonl"
    write_rows(session.folder / "responses" / name, list(evaluation.records))


def finite(value: float) -> float | None:
    """For JSON: null for what is not a number."""
    return value if math.isfinite(value) else None

"""What a run keeps: counters, responses, checkpoints; and what it does when a collapse rule fires."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from tvo_cli.evaluation import Evaluation
from tvo_cli.stability import Action
from tvo_cli.tracking.run_folder import write_json, write_rows
from tvo_cli.training import checkpoint, continuing
from tvo_cli.training.batch import Batch
from tvo_cli.training.session import Photograph, Session
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
    counters.rollouts += batch.drawn.responses
    counters.tokens += batch.drawn.tokens
    counters.skipped += report.skipped
    counters.skipped_in_a_row = counters.skipped_in_a_row + report.skipped if not report.norms else 0
    if metrics["accuracy/fresh"] > counters.best_accuracy:
        counters.best_accuracy, counters.best_step = metrics["accuracy/fresh"], counters.step
    metrics |= {"rollouts": float(counters.rollouts), "tokens": float(counters.tokens)}


def watch(session: Session, metrics: dict[str, float], photo: Photograph | None) -> Action:
    """Show the step to the collapse rules; alert, roll back or stop as they decide.

    The readings judge the policy that sampled, so `photo`, taken before the update, is what a healthy step confirms.
    """
    step = session.counters.step
    for firing in session.watch.observe(step, metrics):
        session.tracker.alert(firing.rule, firing.message)
    action = session.watch.decide()
    if session.counters.skipped_in_a_row >= session.limits.nonfinite_limit:
        session.tracker.alert("nonfinite", f"{session.counters.skipped_in_a_row} updates skipped in a row")
        action = Action.STOP
    if photo is not None and session.watch.healthy:
        session.snapshot = photo
    if action is Action.ROLLBACK:
        action = _roll_back(session)
    metrics["stability/rollbacks"] = float(session.counters.rollbacks)
    write_json(session.folder / "collapse.json", session.watch.verdict())
    return action


def _roll_back(session: Session) -> Action:
    """Put the last healthy weights, optimiser and algorithm state back, and raise the viscosity."""
    if session.snapshot is None:
        session.tracker.alert("rollback", "no healthy state to return to; the run stops")
        return Action.STOP
    tensors, state = session.snapshot
    session.restore_learner(tensors["policy"], tensors, state)
    session.counters.rollbacks += 1
    session.learner.algorithm.step_rule.thicken(session.limits.thicken**session.counters.rollbacks)
    session.watch.rolled_back(session.counters.step)
    session.tracker.alert("rollback", f"restored the policy of step {state['counters']['step']}; viscosity raised")
    return Action.ROLLBACK


def save(session: Session) -> Path:
    """Write a checkpoint and prune the old ones; one of this very step that is whole is left alone."""
    root = session.folder / "checkpoints"
    step = session.counters.step
    existing = root / checkpoint.name(step)
    if existing.is_dir() and not checkpoint.inspect(existing):
        return existing
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
    folder = continuing.newest(session.folder, log.warning)
    if folder is None:
        return None
    log.info("continuing %s from %s", session.folder, folder.name)
    parts, state = checkpoint.load(folder)
    policy = load_file(folder / "policy" / "model.safetensors")
    session.restore(_with_tied(session, policy), parts, state)
    session.tracker.rewind(session.counters.step)
    if session.limits.snapshot_every and session.watch.healthy:
        session.snapshot = session.photograph()
    return folder


def _with_tied(session: Session, saved: dict[str, Any]) -> dict[str, Any]:
    """Add the tied weights that the hub format leaves out."""
    current = session.learner.policy.network.state_dict()
    shared = {value.data_ptr(): name for name, value in current.items() if name in saved}
    return {name: saved.get(name, saved.get(shared.get(value.data_ptr(), ""))) for name, value in current.items()}


def remember_responses(session: Session, batch: Batch) -> None:
    """A few responses of the first and of every tenth step, with verdicts, for a reader's eyes."""
    step = session.counters.step
    if step != 1 and step % RESPONSES_EVERY:
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

"""What a run keeps: counters, responses, checkpoints; and what it does when a collapse rule fires."""

from __future__ import annotations

import errno
import logging
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from tvo_cli.errors import UserError
from tvo_cli.evaluation import Evaluation
from tvo_cli.stability import Action
from tvo_cli.stability.collapse import Firing
from tvo_cli.tracking.run_folder import write_json, write_rows
from tvo_cli.training import checkpoint, content, continuing, recorder
from tvo_cli.training.batch import Batch
from tvo_cli.training.session import Session
from tvo_cli.training.work import Work

log = logging.getLogger("tvo")
RESPONSES_KEPT = 16  # a step, of the steps that are kept
RESPONSES_EVERY = 10
NONFINITE = "nonfinite_limit"  # in collapse.json, the name of the setting that stopped the run


class Interrupted(Exception):
    """A signal asked for a stop; everything is saved."""

    def __init__(self, checkpoint: Path, number: int = 0) -> None:
        self.checkpoint, self.signal = checkpoint, number
        super().__init__(f"interrupted; saved {checkpoint}")


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


def is_photo_due(session: Session) -> bool:
    """Whether somebody needs the state before the next update: a rollback, or the flight recorder."""
    every = session.limits.snapshot_every
    return recorder.is_ready(session) or (every > 0 and session.counters.step % every == 0)


def watch(session: Session, metrics: dict[str, float]) -> list[str]:
    """Show the step to the collapse rules and alert; the rules of a collapse that began here."""
    firings = session.watch.observe(session.counters.step, metrics)
    for firing in firings:
        session.tracker.alert(firing.rule, firing.message)
    return [firing.rule for firing in firings if firing.severity == "collapse"]


def act(session: Session, work: Work, metrics: dict[str, float]) -> Action:
    """Roll back or stop as the rules decide.

    The readings judge the policy that sampled, so the state before the update is what a healthy step confirms.
    """
    every = session.limits.snapshot_every
    if session.counters.skipped_in_a_row >= session.limits.nonfinite_limit:
        _halt_for_nans(session)
    if every and (session.counters.step - 1) % every == 0 and session.watch.healthy:
        session.snapshot = work.before
    action = session.watch.decide()
    if action is Action.ROLLBACK:
        action = _roll_back(session)
    metrics["stability/rollbacks"] = float(session.counters.rollbacks)
    write_json(session.folder / "collapse.json", session.watch.verdict())
    return action


def _halt_for_nans(session: Session) -> None:
    """The updates of the last batches were left out one after the other: nothing is learnt any more."""
    counters, limit = session.counters, session.limits.nonfinite_limit
    message = f"{counters.skipped_in_a_row} updates skipped in a row"
    session.tracker.alert("nonfinite", message)
    found = float(counters.skipped_in_a_row), float(limit)
    session.watch.halt(Firing(NONFINITE, counters.step, "optimizer/skipped", *found, "collapse", message))


def is_stopped(session: Session) -> bool:
    """Whether a rule, or too many updates skipped in a row, have stopped the run; a restart does not undo it."""
    skipped = session.counters.skipped_in_a_row >= session.limits.nonfinite_limit
    return skipped or session.watch.decide() is Action.STOP


def _roll_back(session: Session) -> Action:
    """Put the last healthy weights, optimiser and algorithm state back, and raise the viscosity."""
    if session.snapshot is None:
        session.tracker.alert("rollback", "no healthy state to return to; the run stops")
        session.watch.halt()
        return Action.STOP
    tensors, state = session.snapshot.tensors, session.snapshot.state
    session.restore_learner(tensors["policy"], tensors, state)
    session.counters.rollbacks += 1
    session.learner.algorithm.step_rule.thicken(session.limits.thicken**session.counters.rollbacks)
    session.watch.rolled_back(session.counters.step)
    session.tracker.alert("rollback", f"restored the policy of step {state['counters']['step']}; viscosity raised")
    return Action.ROLLBACK


def save(session: Session) -> Path:
    """Write a checkpoint and prune the old ones; one of this very moment that is whole, score too, is left alone.

    Raises:
        UserError: the disk is full; the checkpoints before are untouched.
    """
    root, limits, work = session.folder / "checkpoints", session.limits, session.work
    folder = root / checkpoint.name(session.counters.step, None if work is None else work.position)
    if work is not None:
        work.clock.pause()
    stale = work is None and checkpoint.score(folder) != session.counters.score
    if stale or checkpoint.inspect(folder):
        weights = session.weights()
        try:
            session.tracker.sync()
            checkpoint.save(
                folder,
                policy=session.learner.policy.save,
                policy_bytes=checkpoint.size({"policy": weights}),
                tensors=session.tensors(),
                state=session.state() | {"identity": continuing.identity(session.folder)},
            )
        except OSError as error:
            raise _no_room(root, error) from error
    checkpoint.prune(root, limits.keep, saved=folder, every_steps=limits.keep_every, best=limits.keep_best)
    return folder


def save_if_possible(session: Session) -> None:
    """A checkpoint on the way: without room for it the run goes on, and the last one stays what it is."""
    try:
        save(session)
    except UserError as error:
        session.tracker.alert("checkpoint", str(error))


def _no_room(root: Path, error: OSError) -> Exception:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    held = checkpoint.every(root)
    kept = f"the run can go on from {held[-1].name}" if held else "nothing is saved yet"
    remedy = "Free some, or keep fewer: trainer.keep, recorder.keep."
    return UserError("output_dir", root, f"no room for a checkpoint ({error.strerror}); {kept}.", remedy)


def resume(session: Session) -> Path | None:
    """Continue from the newest whole checkpoint of the run folder, if there is one."""
    checkpoint.sweep(session.folder / "checkpoints")
    folder = continuing.newest(session.folder, log.warning)
    if folder is None:
        return None
    log.info("continuing %s from %s", session.folder, folder.name)
    parts, state = checkpoint.load(folder)
    continuing.compare_origin(state["origin"], session.origin, log.warning)
    if not content.are_same(state["origin"], session.origin):
        state["cursor"] = session.cursor.begin_anew(state["cursor"])
    policy = load_file(folder / "policy" / "model.safetensors")
    session.restore(_with_tied(session, policy), parts, state)
    session.tracker.rewind(session.counters.step)
    return folder


def _with_tied(session: Session, saved: dict[str, Any]) -> dict[str, Any]:
    """Add the tied weights that the hub format leaves out."""
    current = session.learner.policy.network.state_dict()
    shared = {value.data_ptr(): name for name, value in current.items() if name in saved}
    return {name: saved.get(name, saved.get(shared.get(value.data_ptr(), ""))) for name, value in current.items()}


def remember_responses(session: Session, batch: Batch) -> None:
    """A few responses of the first step, of every tenth and of the last, with verdicts, for a reader's eyes."""
    step = session.counters.step
    last = step >= session.limits.steps or is_stopped(session)
    if step != 1 and step % RESPONSES_EVERY and not last:
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
    """Every completion of an evaluation, and its pass@1 as the score of the policy where checkpoints go by it."""
    if session.limits.evaluate_every:
        session.counters.score = evaluation.accuracy.mean
    name = f"evaluation-{checkpoint.name(session.counters.step)}.jsonl"
    write_rows(session.folder / "responses" / name, list(evaluation.records))

"""The flight recorder: writes what it takes to replay a step, on request, at a collapse, and at a NaN.

RUN/recorder/step-000012 is a checkpoint in the state before the step's first update, the graded rollouts and
their position 0 included, with the policy as one more part; `record_step` in its state says why it was kept, the
order of the minibatches, and what the step led to. `tvo replay` reads it. The newest `recorder.keep` of those
that nobody asked for stay, so the disk holds (keep + number of recorder.steps) × a checkpoint and a batch.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tvo_cli.checkpoint.checkpoint_damage import find_damage
from tvo_cli.checkpoint.checkpoint_folders import (
    checkpoint_name,
    checkpoint_position,
    list_checkpoints,
    load_checkpoint,
    read_stored_state,
)
from tvo_cli.checkpoint.checkpoint_writer import save_checkpoint
from tvo_cli.checkpoint.pruning import remove_checkpoint, remove_leftovers
from tvo_cli.checkpoint.record_serialization import pack_record
from tvo_cli.checkpoint.tensor_slice import HeldTensor
from tvo_cli.errors import UserError
from tvo_cli.tracking.recorded_steps import FOLDER, check_step_is_recorded
from tvo_cli.training.session import Session
from tvo_cli.training.step_state import StateSnapshot, StepInProgress, UpdateReport
from tvo_cli.training.stopwatch import Stopwatch
from tvo_cli.training.update.minibatches import cut_into_minibatches

log = logging.getLogger("tvo")
ASKED = "asked for"


def must_hold_state(session: Session) -> bool:
    """Whether the next step may have to be recorded, so that the state before it must be held."""
    settings = session.recorder
    return settings.on_collapse or settings.on_nonfinite or session.counters.step + 1 in settings.steps


def record_step(
    session: Session, work: StepInProgress, metrics: Mapping[str, float], begun: Sequence[str]
) -> Path | None:
    """Write a recording of the step just finished if there is a reason to; a full disk costs it, not the run."""
    if work.refused:
        if session.counters.step in session.recorder.steps:
            log.warning("step %d is not recorded: its batch was refused, so it has no update", session.counters.step)
        return None
    reasons = _reasons_to_record(session, work, begun)
    if not reasons:
        return None
    if work.before is None:
        log.warning("step %d cannot be recorded: it had started before recording was requested", session.counters.step)
        return None
    folder = session.folder / FOLDER / checkpoint_name(session.counters.step)
    try:
        _write_recording(folder, session, work, work.before, {"why": reasons, "metrics": dict(metrics)})
        session.ranks.run_on_first(lambda: _prune_recordings(folder.parent, session.recorder.keep), None)
    except OSError as error:
        log.warning("step %d could not be recorded: %s", session.counters.step, error)
        return None
    log.info("recorded step %d (%s); tvo replay shows it", session.counters.step, ", ".join(reasons))
    return folder


def _reasons_to_record(session: Session, work: StepInProgress, begun: Sequence[str]) -> list[str]:
    settings = session.recorder
    reasons = [ASKED] if session.counters.step in settings.steps else []
    already = work.before is not None and work.before.state["counters"]["poisoned"]
    if settings.on_nonfinite and session.counters.poisoned and not already:  # the first of a row is where it began
        reasons.append(f"not finite: {work.report.nonfinite}")
    if settings.on_collapse:
        reasons += [f"collapse: {rule}" for rule in begun]
    return reasons


def _write_recording(
    folder: Path, session: Session, work: StepInProgress, before: StateSnapshot, found: dict[str, Any]
) -> None:
    fresh = replace(work, clock=Stopwatch(), before=None, position=0, report=UpdateReport())
    tensors, plain = pack_record(fresh)
    config = session.folder / "config.yaml"
    outcome = {
        "config": config.read_text(encoding="utf-8") if config.is_file() else "",  # the folder's own may change later
        "step": session.counters.step,
        "weights_before": session.fingerprint(before.tensors["policy"]),
        "weights_after": session.fingerprint(session.weights()),
        "order": recorded_minibatch_order(session, work, int(before.state["counters"]["step"])),
    }
    counters = before.state["counters"] | session.counters.halving()  # the step is cut again as it was
    in_flight = {"work": plain, "snapshot": None, "refusal": None}  # a step is replayed without the last two
    state = before.state | in_flight | {"counters": counters, "record": outcome | found}
    save_checkpoint(folder, tensors=before.tensors | {"work": tensors}, state=state, ranks=session.ranks)


def read_recording(run: Path, step: int) -> tuple[dict[str, dict[str, HeldTensor]], dict[str, Any]]:
    """Tensors by part and state of a recorded step.

    Raises:
        UserError: the step was not recorded, or its recording is damaged.
    """
    root = run / FOLDER
    folder, held = (
        root / checkpoint_name(step),
        [checkpoint_position(one)[0] for one in list_checkpoints(root)],
    )
    check_step_is_recorded(run, step, [] if root.is_symlink() else held)
    if damage := find_damage(folder):
        raise UserError("--step", step, f"its recording is damaged: {damage}.")
    return load_checkpoint(folder)


def recorded_minibatch_order(session: Session, work: StepInProgress, step: int) -> list[list[int]]:
    """Rows of each minibatch, in the order of the updates."""
    passes = session.passes
    cut = cut_into_minibatches(
        work.batch.experience.group.cpu(),
        epochs=passes.epochs,
        count=passes.minibatches,
        microbatch_rows=passes.microbatch_rows,
        variance_parts=passes.variance_parts,
        ranks=passes.ranks,
        seed=session.seed,
        step=step,
    )
    return [minibatch.rows.tolist() for minibatch in cut]


def _prune_recordings(root: Path, keep: int) -> None:
    """Remove recordings but those asked for, those that cannot be read, and the newest `keep` of the others."""
    others = [one for one in list_checkpoints(root) if ASKED not in _reasons_of_recording(one)]
    for folder in others[: max(len(others) - keep, 0)]:
        remove_checkpoint(folder)
    remove_leftovers(root)


def _reasons_of_recording(folder: Path) -> Sequence[str]:
    """Why a step was kept; a recording that cannot be read is left alone, as one that was asked for."""
    try:
        found: list[str] = read_stored_state(folder)["record"]["why"]
    except (OSError, ValueError, KeyError, TypeError):
        return [ASKED]
    return found

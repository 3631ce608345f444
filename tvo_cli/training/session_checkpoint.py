"""Checkpoints of a session: saving one, and resuming from the newest."""

from __future__ import annotations

import errno
import logging
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from tvo_cli.checkpoint import store
from tvo_cli.errors import UserError
from tvo_cli.training import dataset_fingerprint, resume_compatibility
from tvo_cli.training.session import Session

log = logging.getLogger("tvo")


def save_session(session: Session) -> Path:
    """Write a checkpoint and prune the old ones; one of this very moment that is whole, score too, is left alone.

    Raises:
        UserError: the disk is full; the checkpoints before are untouched.
    """
    root, limits, work = session.folder / "checkpoints", session.limits, session.work
    folder = root / store.checkpoint_name(session.counters.step, None if work is None else work.position)
    if work is not None:
        work.clock.pause()
    stale = work is None and store.score_of_stored_policy(folder) != session.counters.score
    if stale or store.find_damage(folder):
        weights = session.weights()
        try:
            session.tracker.sync()
            store.save_checkpoint(
                folder,
                policy=session.learner.policy.save,
                policy_bytes=store.bytes_to_store({"policy": weights}),
                tensors=session.tensors(),
                state=session.state() | {"identity": resume_compatibility.wandb_id_for_resume(session.folder)},
            )
        except OSError as error:
            raise _error_for_full_disk(root, error) from error
    store.prune_checkpoints(root, limits.keep, saved=folder, every_steps=limits.keep_every, best=limits.keep_best)
    return folder


def save_session_if_possible(session: Session) -> None:
    """Write a checkpoint between steps; where there is no space for it the run continues without."""
    try:
        save_session(session)
    except UserError as error:
        session.tracker.alert("checkpoint", str(error))


def _error_for_full_disk(root: Path, error: OSError) -> Exception:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    held = store.list_checkpoints(root)
    kept = f"the run can be resumed from {held[-1].name}" if held else "nothing is saved yet"
    remedy = "Free some, or keep fewer: trainer.keep, recorder.keep."
    return UserError("output_dir", root, f"no space for a checkpoint ({error.strerror}); {kept}.", remedy)


def resume_session(session: Session) -> Path | None:
    """Continue from the newest whole checkpoint of the run folder, if there is one."""
    store.remove_leftovers(session.folder / "checkpoints")
    folder = store.newest_whole_checkpoint(session.folder / "checkpoints", log.warning)
    if folder is None:
        return None
    log.info("resuming %s from %s", session.folder, folder.name)
    parts, state = store.load_checkpoint(folder)
    resume_compatibility.compare_checkpoint_origin(state["origin"], session.origin, log.warning)
    if not dataset_fingerprint.is_same_dataset(state["origin"], session.origin):
        state["cursor"] = session.cursor.begin_anew(state["cursor"])
    policy = load_file(folder / "policy" / "model.safetensors")
    session.restore(_checkpoint_with_tied_weights(session, policy), parts, state)
    session.tracker.rewind(session.counters.step)
    return folder


def _checkpoint_with_tied_weights(session: Session, saved: dict[str, Any]) -> dict[str, Any]:
    """Add the tied weights that the hub format leaves out."""
    current = session.learner.policy.network.state_dict()
    shared = {value.data_ptr(): name for name, value in current.items() if name in saved}
    return {name: saved.get(name, saved.get(shared.get(value.data_ptr(), ""))) for name, value in current.items()}

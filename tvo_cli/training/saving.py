"""Checkpoints of a run: when one is written, what it holds, and going on from the newest."""

from __future__ import annotations

import errno
import logging
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from tvo_cli.checkpoint import store
from tvo_cli.errors import UserError
from tvo_cli.training import dataset_hash, resume_compatibility
from tvo_cli.training.session import Session

log = logging.getLogger("tvo")


class Interrupted(Exception):
    """A signal asked for a stop; everything is saved."""

    def __init__(self, checkpoint: Path, number: int = 0) -> None:
        self.checkpoint, self.signal = checkpoint, number
        super().__init__(f"interrupted; saved {checkpoint}")


def save(session: Session) -> Path:
    """Write a checkpoint and prune the old ones; one of this very moment that is whole, score too, is left alone.

    Raises:
        UserError: the disk is full; the checkpoints before are untouched.
    """
    root, limits, work = session.folder / "checkpoints", session.limits, session.work
    folder = root / store.name(session.counters.step, None if work is None else work.position)
    if work is not None:
        work.clock.pause()
    stale = work is None and store.score(folder) != session.counters.score
    if stale or store.inspect(folder):
        weights = session.weights()
        try:
            session.tracker.sync()
            store.save(
                folder,
                policy=session.learner.policy.save,
                policy_bytes=store.size({"policy": weights}),
                tensors=session.tensors(),
                state=session.state() | {"identity": resume_compatibility.identity(session.folder)},
            )
        except OSError as error:
            raise _no_room(root, error) from error
    store.prune(root, limits.keep, saved=folder, every_steps=limits.keep_every, best=limits.keep_best)
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
    held = store.every(root)
    kept = f"the run can go on from {held[-1].name}" if held else "nothing is saved yet"
    remedy = "Free some, or keep fewer: trainer.keep, recorder.keep."
    return UserError("output_dir", root, f"no room for a checkpoint ({error.strerror}); {kept}.", remedy)


def resume(session: Session) -> Path | None:
    """Continue from the newest whole checkpoint of the run folder, if there is one."""
    store.sweep(session.folder / "checkpoints")
    folder = resume_compatibility.newest(session.folder, log.warning)
    if folder is None:
        return None
    log.info("continuing %s from %s", session.folder, folder.name)
    parts, state = store.load(folder)
    resume_compatibility.compare_origin(state["origin"], session.origin, log.warning)
    if not dataset_hash.are_same(state["origin"], session.origin):
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

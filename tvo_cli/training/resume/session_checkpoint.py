"""Checkpoints of a session: saving one, and resuming from the newest."""

from __future__ import annotations

import errno
import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tvo_cli.checkpoint import checkpoint_folders
from tvo_cli.checkpoint.checkpoint_damage import find_damage, newest_whole_checkpoint
from tvo_cli.checkpoint.checkpoint_writer import bytes_to_store, save_checkpoint
from tvo_cli.checkpoint.policy_only import drop_resume_tensors, is_policy_only, resume_tensor_bytes
from tvo_cli.checkpoint.pruning import prune_checkpoints, remove_leftovers
from tvo_cli.errors import UserError
from tvo_cli.parallel.rank_lost import RankLost
from tvo_cli.tracking.mirrors.wandb_id import read_wandb_id
from tvo_cli.training.resume import same_dataset
from tvo_cli.training.resume.checkpoint_origin import compare_checkpoint_origin
from tvo_cli.training.resume.finished_run import refuse_steps_left
from tvo_cli.training.resume.recorded_settings import record_settings_of_new_checkpoint
from tvo_cli.training.run_over import is_run_over
from tvo_cli.training.run_settings import RunSettings
from tvo_cli.training.session import Session

log = logging.getLogger("tvo")


def save_session(session: Session) -> Path:
    """Write a checkpoint and prune the old ones; one of this very moment that is whole, score too, is left alone.

    Raises:
        UserError: the disk is full; the checkpoints before are untouched.
    """
    root, work, ranks = session.folder / "checkpoints", session.work, session.ranks
    folder = root / checkpoint_folders.checkpoint_name(session.counters.step, None if work is None else work.position)
    if work is not None:
        work.clock.pause()
    score, own = session.counters.score, work is None
    stale = ranks.run_on_first(lambda: own and checkpoint_folders.score_of_stored_policy(folder) != score, bool)
    if stale or find_damage(folder, ranks):
        session.tracker.sync()
        try:
            _write_checkpoint(session, folder)
        except OSError as error:
            raise _error_for_full_disk(root, error) from error
        ranks.run_on_first(lambda: record_settings_of_new_checkpoint(root), None)
    healthy = session.watch.policies_to_keep()
    ranks.run_on_first(lambda: _prune_older_checkpoints(session.limits, root, folder, healthy), None)
    return folder


def _write_checkpoint(session: Session, folder: Path) -> None:
    """Write it, every rank what it alone has."""
    policy_alone = not session.resumable or (session.limits.save_policy_only and is_run_over(session))
    save_checkpoint(
        folder,
        policy=lambda place: _save_policy(session, place),
        policy_bytes=bytes_to_store({"policy": session.weights()}),
        tensors={} if policy_alone else session.tensors(),
        state=session.state() | {"identity": _kept_identity(session.folder)},
        ranks=session.ranks,
    )


def _prune_older_checkpoints(limits: RunSettings, root: Path, folder: Path, healthy: Collection[int]) -> None:
    prune_checkpoints(
        root, limits.keep, saved=folder, every_steps=limits.keep_every, best=limits.keep_best, healthy=healthy
    )
    if limits.save_policy_only:
        _drop_resume_tensors_of_older(root, folder)


def _save_policy(session: Session, folder: Path) -> None:
    """Write the policy, and its card where the run has one; all ranks put its tensors together."""
    writes = session.ranks.is_first
    session.learner.policy.save(folder, writes=writes)
    if writes and session.card is not None:
        session.card.write(folder, session.counters.step)


def _drop_resume_tensors_of_older(root: Path, newest: Path) -> None:
    """Leave the policy alone in the checkpoints before the newest; damaged ones stay as they are."""
    for older in checkpoint_folders.list_checkpoints(root):
        earlier = checkpoint_folders.checkpoint_position(older) < checkpoint_folders.checkpoint_position(newest)
        if earlier and resume_tensor_bytes(older) and not find_damage(older):
            drop_resume_tensors(older)


def save_session_if_possible(session: Session) -> None:
    """Write a checkpoint between steps; where there is no space for it the run continues without."""
    try:
        save_session(session)
    except RankLost:
        raise  # there is nobody to go on with
    except UserError as error:
        session.tracker.alert("checkpoint", str(error), step=session.counters.step)


def _error_for_full_disk(root: Path, error: OSError) -> Exception:
    """The error for a checkpoint that found no room: what can be resumed, and what to do; any other as it is."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    held = checkpoint_folders.list_checkpoints(root)
    kept = f"the run can be resumed from {held[-1].name}" if held else "nothing is saved yet"
    remedy = "Free some, or keep fewer: trainer.keep, recorder.keep."
    return UserError("output_dir", root, f"no space for a checkpoint ({error.strerror}); {kept}.", remedy)


def resume_session(session: Session) -> Path | None:
    """Continue from the newest whole checkpoint of the run folder, if there is one."""
    root, ranks = session.folder / "checkpoints", session.ranks
    ranks.run_on_first(lambda: remove_leftovers(root), None)
    folder = newest_whole_checkpoint(root, log.warning, ranks)
    if folder is None:
        return None
    log.info("resuming %s from %s", session.folder, folder.name)
    parts, state = checkpoint_folders.load_checkpoint(folder, session.held_rows())
    compare_checkpoint_origin(state["origin"], session.origin, log.warning)
    state["cursor"] = _cursor_state_to_resume(session, state)
    weights = session.learner.policy.read_saved(folder / "policy")
    if is_policy_only(folder):
        session.restore_policy(weights, state)  # only evaluated
        refuse_steps_left(session, folder)  # where a damaged newer one was passed over
    else:
        session.restore(weights, parts, state)
    session.tracker.rewind(session.counters.step)
    if session.counters.step > session.limits.steps:
        said = "trainer.steps=%d: the run has %d steps already; nothing is learnt, and none is taken back"
        log.warning(said, session.limits.steps, session.counters.step)
    return folder


def _cursor_state_to_resume(session: Session, state: Mapping[str, Any]) -> dict[str, Any]:
    """Where the problems are gone on with; at a new start where they, or what draws them, are allowed to be others."""
    held, fresh = dict(state["cursor"]), session.cursor.state_dict()
    if _shape_of_cursor_state(held) != _shape_of_cursor_state(fresh):
        log.warning("the problems are drawn by another rule than the checkpoint's: their order starts again")
        return fresh
    if same_dataset.is_same_dataset(state["origin"], session.origin):
        return held
    return session.cursor.begin_anew(held, same_dataset.changed_data_sources(state["origin"], session.origin))


def _shape_of_cursor_state(state: Mapping[str, Any]) -> Any:
    """What tells, in a checkpoint, one kind of cursor's state from another's: its keys, and its sources'."""
    sources = state.get("sources", {})
    return sorted(state), {name: sorted(one) for name, one in sources.items()}, len(state.get("stages", ()))


def _kept_identity(folder: Path) -> dict[str, str]:
    """What a checkpoint keeps of the run's names elsewhere: its W&B id."""
    found = read_wandb_id(folder)
    return {} if found is None else {"wandb": found}

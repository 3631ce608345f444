"""What is done is saved when what follows fails between two checkpoints, in a way that a user can mend."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from tvo_cli.errors import UserError
from tvo_cli.parallel.rank_lost import RankLost
from tvo_cli.training.resume import session_checkpoint
from tvo_cli.training.session import Session
from tvo_cli.training.update.out_of_memory import OutOfMemoryOutsideUpdate, UpdateOutOfMemory, free_cached_memory


@contextmanager
def saved_on_user_error(session: Session) -> Iterator[None]:
    """Write a checkpoint of what is done when what follows meets what a user has to mend.

    A prompt too long before a step: of the steps done. A GPU too small for an update: of the updates done. A GPU too
    small for what is generated, scored or evaluated between them: of the steps done, unless other ranks wait for it.

    Raises:
        OutOfMemoryOutsideUpdate: in place of torch's own error, where that was between steps.
    """
    cursor = session.cursor.state_dict()
    try:
        yield
    except UserError as error:
        _save_after_error(session, cursor, error)
        raise
    except torch.OutOfMemoryError as error:
        if session.work is not None or session.ranks.count > 1:
            raise
        traceback.clear_frames(error.__traceback__)  # whose tensors leave no room to save in
        free_cached_memory()
        told = OutOfMemoryOutsideUpdate(session.plan.bounds.cache_bytes, session.plan.bounds.microbatch_tokens)
        _save_after_error(session, cursor, told)
        raise told from None


def _save_after_error(session: Session, cursor: dict[str, Any], error: UserError) -> None:
    """Write a checkpoint of what is done; `cursor`: where the problems were before."""
    if session.work is None:
        session.cursor.load_state_dict(cursor)  # it had taken the problems of the step that was not to be
    if _is_session_saveable_after_error(session, error):
        session_checkpoint.save_session_if_possible(session)


def _is_session_saveable_after_error(session: Session, error: UserError) -> bool:
    """Whether there is something to save, and no update was left half done."""
    if isinstance(error, RankLost):
        return False  # the others cannot be asked
    if session.work is None:
        return session.counters.step > 0
    return isinstance(error, UpdateOutOfMemory)

"""Whether a run is over: its last step is done, or a collapse rule or too many skipped updates have stopped it."""

from __future__ import annotations

from tvo_cli.stability import CollapseAction
from tvo_cli.training.session import Session


def is_run_stopped(session: Session) -> bool:
    """Whether a rule, or too many updates skipped in a row, have stopped the run; a restart does not undo it."""
    skipped = session.counters.skipped_in_a_row >= session.limits.nonfinite_limit
    return skipped or session.watch.decide() is CollapseAction.STOP


def is_run_over(session: Session) -> bool:
    """Whether no further batch is drawn: the last step is done, or the run is stopped."""
    return session.counters.step >= session.limits.steps or is_run_stopped(session)

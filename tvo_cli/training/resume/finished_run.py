"""A run of which the policy alone is kept (trainer.save_policy_only, `tvo prune`): evaluated again, never made longer.

Asked before anything is written: a refusal leaves the folder of the finished run as it is.
"""

from __future__ import annotations

from pathlib import Path

from tvo_cli.checkpoint import checkpoint_folders
from tvo_cli.checkpoint.checkpoint_damage import find_damage
from tvo_cli.checkpoint.policy_only import is_policy_only
from tvo_cli.errors import UserError
from tvo_cli.training.counters import RunCounters
from tvo_cli.training.run_over import is_run_over
from tvo_cli.training.session import Session


def check_run_is_not_extended(session: Session, mode: str) -> None:
    """Make sure that a run whose newest checkpoint holds the policy alone has no step left; nothing is written.

    mode: resume.mode; with `never` the checkpoint is set aside and not resumed from.

    Raises:
        UserError: the run has steps left.
    """
    held = checkpoint_folders.list_checkpoints(session.folder / "checkpoints")
    if mode == "never" or not held or not _is_of_policy_alone(held[-1]):
        return
    if find_damage(held[-1], session.ranks):
        return  # resuming says so, and takes the one before
    state = checkpoint_folders.read_stored_state(held[-1])
    session.counters = RunCounters(**state["counters"])
    session.watch.load_state_dict(state["watch"])
    refuse_steps_left(session, held[-1])


def refuse_steps_left(session: Session, folder: Path) -> None:
    """Refuse a run that has steps left and nothing but its policy to take them with.

    Raises:
        UserError: it has.
    """
    if not is_run_over(session):
        raise UserError(
            "output_dir",
            session.folder,
            f"{folder.name} holds the policy alone (trainer.save_policy_only, or tvo prune): "
            "no step can be added to this run.",
            f"Start a new run from its policy: model.path={session.folder} and another output_dir.",
        )


def _is_of_policy_alone(folder: Path) -> bool:
    """Whether the manifest names the policy's tensors alone; a manifest that cannot be read says nothing."""
    try:
        return is_policy_only(folder)
    except (OSError, ValueError, AttributeError):
        return False

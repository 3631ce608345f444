"""The bytes on disk that a run's checkpoints and recorded steps take: when it is finished, and at most on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class DiskSize(NamedTuple):
    """Bytes that a run leaves on disk, the most that it takes at any time, and what it takes whatever happens."""

    finished: int
    at_most: int
    at_least: int = 0


def disk_size(
    trainer: Mapping[str, Any],
    *,
    policy_bytes: int,
    resume_bytes: int,
    recordings: int,
    held_states: int = 0,
    healthy: int = 0,
) -> DiskSize:
    """Return the disk that a run takes for checkpoints and recorded steps.

    finished = kept · (policy, + resume tensors unless trainer.save_policy_only) + recordings · whole
    at most  = what is kept before the newest + 2 · whole + whole: the newest, the one that is written while it is
               there, and in the latter the state before a step that a signal interrupted + recordings · whole
               + the last healthy ones, which a collapse keeps
    at least = the newest trainer.keep, of which the last is whole, + whole while the one after them is written

    Args:
        trainer: the node of the config: steps, checkpoint_every, keep, keep_every, keep_best, save_policy_only.
        policy_bytes: of the policy's weights as they are saved.
        resume_bytes: of what only a resume needs: the optimiser's state, a critic and its optimiser's.
        recordings: steps that the flight recorder may come to hold.
        healthy: checkpoints besides these that a collapse keeps.
        held_states: copies of the whole that each checkpoint has besides: what stability.refuse returns to.
    """
    whole = policy_bytes + resume_bytes
    full = whole * (1 + held_states)
    older = policy_bytes if trainer.get("save_policy_only", False) else full
    kept, recorded = checkpoints_kept(trainer), recordings * whole
    newest = min(checkpoints_written(trainer), max(int(trainer["keep"]), 1))
    least = (newest - 1) * older + (2 if checkpoints_written(trainer) > newest else 1) * full
    most = min(checkpoints_written(trainer), kept + healthy)
    return DiskSize(kept * older + recorded, (most - 1) * older + 2 * full + whole + recorded, least)


def checkpoints_written(trainer: Mapping[str, Any]) -> int:
    """Return how many checkpoints a run writes that nothing stops."""
    steps, every = int(trainer["steps"]), int(trainer["checkpoint_every"])
    return 1 + ((steps - 1) // every if every else 0)


def checkpoints_kept(trainer: Mapping[str, Any]) -> int:
    """Return how many checkpoints a finished run has: the newest, those of trainer.keep_every, and the best."""
    steps = int(trainer["steps"])
    apart = steps // int(trainer["keep_every"]) if int(trainer.get("keep_every", 0)) else 0
    kept = max(int(trainer["keep"]), 1) + apart + int(bool(trainer.get("keep_best", False)))
    return min(checkpoints_written(trainer), kept)

"""The bytes on disk that a run's checkpoints and recorded steps take: when it is finished, and at most on the way.

Of a run that goes on, those that its folder holds count as they are: some may have been pruned.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple


class DiskSize(NamedTuple):
    """Bytes that a run leaves on disk, the most that it takes at any time, and what it takes whatever happens."""

    finished: int
    at_most: int
    at_least: int = 0


class HeldCheckpoints(NamedTuple):
    """The checkpoints that a run's folder holds: the bytes of each, oldest first, and the batches of the newest."""

    sizes: tuple[int, ...] = ()
    step: int = 0


NONE_HELD = HeldCheckpoints()


def disk_size(
    trainer: Mapping[str, Any],
    *,
    policy_bytes: int,
    resume_bytes: int,
    recordings: int,
    held_states: int = 0,
    healthy: int = 0,
    held: HeldCheckpoints = NONE_HELD,
) -> DiskSize:
    """Return the disk that a run takes for checkpoints and recorded steps, those included that it holds already.

    finished = kept · (policy, + resume tensors unless trainer.save_policy_only) + recordings · whole
    at most  = what is kept before the newest + 2 · whole + whole: the newest, the one that is written while it is
               there, and in the latter the state before a step that a signal interrupted + recordings · whole
               + the last healthy ones, which a collapse keeps
    at least = the newest trainer.keep, of which the last is whole, + whole while the one after them is written

    Where some are held, at least = what they take + the larger of whole (the next one) and what the new ones take in
    any case beyond those that are pruned by then. A run that has all its batches writes none.

    Args:
        trainer: the node of the config: steps, checkpoint_every, keep, keep_every, keep_best, save_policy_only.
        policy_bytes: of the policy's weights as they are saved.
        resume_bytes: of what only a resume needs: the optimiser's state, a critic and its optimiser's.
        recordings: steps that the flight recorder may come to hold.
        healthy: checkpoints besides these that a collapse keeps.
        held_states: copies of the whole that each checkpoint has besides: what stability.refuse returns to.
        held: the checkpoints that are there.
    """
    whole = policy_bytes + resume_bytes
    full = whole * (1 + held_states)
    older = policy_bytes if trainer.get("save_policy_only", False) else full
    to_come, recorded = checkpoints_to_write(trainer, held.step), recordings * whole
    if not to_come:
        return DiskSize(sum(held.sizes) + recorded, sum(held.sizes) + recorded, sum(held.sizes))
    kept = _most_kept(trainer)
    finished, most = (_kept_bytes(held.sizes, to_come, number, older) for number in (kept, kept + healthy))
    least = max(full, _least_bytes_to_come(trainer, held.sizes, to_come, (older, full)))
    return DiskSize(finished + recorded, most - older + 2 * full + whole + recorded, sum(held.sizes) + least)


def _kept_bytes(sizes: tuple[int, ...], to_come: int, most: int, older: int) -> int:
    """The bytes of checkpoints that are kept, at most so many: the new ones, and the newest of those that are held."""
    new = min(to_come, most)
    return new * older + sum(min(size, older) for size in sizes[max(0, len(sizes) + new - most) :])


def _least_bytes_to_come(
    trainer: Mapping[str, Any], sizes: tuple[int, ...], to_come: int, each: tuple[int, int]
) -> int:
    """The bytes of new checkpoints while the last is written, less those of held ones that are pruned by then."""
    older, full = each
    keep = max(int(trainer["keep"]), 1)
    newest = min(to_come, keep)
    before = min(to_come - 1, keep)  # new ones that are there when the last is written
    pruned = max(0, len(sizes) + before - keep) if before else 0
    freed = sum(sizes[:pruned]) + sum(max(0, size - older) for size in sizes[pruned:] if before)
    return (newest - 1) * older + (2 if to_come > newest else 1) * full - freed


def held_checkpoints(folder: Path) -> HeldCheckpoints:
    """Return the checkpoints that a run's folder holds."""
    from tvo_cli.checkpoint.checkpoint_folders import checkpoint_position, list_checkpoints
    from tvo_cli.checkpoint.pruning import folder_bytes

    there = list_checkpoints(folder / "checkpoints")
    step = checkpoint_position(there[-1])[0] if there else 0
    return HeldCheckpoints(tuple(map(folder_bytes, there)), step)


def checkpoints_to_write(trainer: Mapping[str, Any], step: int = 0) -> int:
    """Return how many checkpoints a run that nothing stops writes after so many batches; 0: it has all its batches."""
    steps, every = int(trainer["steps"]), int(trainer["checkpoint_every"])
    if step and step >= steps:
        return 0
    return 1 + ((steps - 1) // every - step // every if every else 0)


def checkpoints_kept(trainer: Mapping[str, Any]) -> int:
    """Return how many checkpoints a finished run has: the newest, those of trainer.keep_every, and the best."""
    return min(checkpoints_to_write(trainer), _most_kept(trainer))


def _most_kept(trainer: Mapping[str, Any]) -> int:
    """Return how many checkpoints the settings keep at most, however many are written."""
    steps = int(trainer["steps"])
    apart = steps // int(trainer["keep_every"]) if int(trainer.get("keep_every", 0)) else 0
    return max(int(trainer["keep"]), 1) + apart + int(bool(trainer.get("keep_best", False)))

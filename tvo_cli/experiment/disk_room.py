"""Whether a run's checkpoints find room on its disk, before its first step."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from tvo_cli.byte_sizes import format_bytes
from tvo_cli.checkpoint.disk_size import (
    NONE_HELD,
    DiskSize,
    HeldCheckpoints,
    checkpoints_to_write,
    disk_size,
    held_checkpoints,
)
from tvo_cli.errors import UserError
from tvo_cli.memory.planned_run import PlannedRun, held_for_refusals
from tvo_cli.tracking.run_folder_size import CHECKPOINTS, disk_held_by_run, free_disk

log = logging.getLogger("tvo")
HEALTHY_KEPT = 2  # checkpoints: the last healthy one, and the last that a healthy step has confirmed
REMEDY = "Take trainer.save_policy_only=true, a smaller trainer.keep, {}or another disk (output_dir=…)."


def check_disk_room(config: DictConfig, run: PlannedRun, folder: Path) -> None:
    """Warn where a run may find its disk full; refuse one whose checkpoints cannot find room.

    Raises:
        UserError: fewer bytes are free than its checkpoints take in any case, beside those that it holds already.
    """
    anew = str(config.resume.mode) == "never"  # what is there is set aside, and stays on the disk
    held = NONE_HELD if anew else held_checkpoints(folder)
    if not checkpoints_to_write(config.trainer, held.step):
        return
    disk, (place, free) = disk_of_run(config, run, held), free_disk(folder)
    room = f"{format_bytes(free)} are free in {place}"
    least = disk.at_least - (0 if anew else disk_held_by_run(folder, CHECKPOINTS))
    most = disk.at_most - (0 if anew else disk_held_by_run(folder))
    if least > free:
        problem = f"the run's checkpoints take {format_bytes(least)} of disk; {room}."
        raise UserError("output_dir", folder, problem, REMEDY.format(""))
    if most > free:
        remedy = REMEDY.format("recorder=off, ")
        log.warning("the run may take up to %s of disk; %s. %s", format_bytes(most), room, remedy)


def disk_of_run(config: Any, run: PlannedRun, held: HeldCheckpoints = NONE_HELD) -> DiskSize:
    """Return the disk that a planned run takes for checkpoints and recorded steps, with those that it holds."""
    request, recorder = run.request, config.recorder
    state = request.trained_itemsize + request.optimizer_bytes
    return disk_size(
        config.trainer,
        policy_bytes=int(request.trained * request.trained_itemsize),
        healthy=HEALTHY_KEPT * any(rule is not None for rule in config.stability.rules.values()),
        held_states=held_for_refusals(config),
        resume_bytes=int(request.trained * request.optimizer_bytes + request.critic * request.critic_trained * state),
        recordings=len(recorder.steps) + int(recorder.keep) * run.recorder.held.kept,
        held=held,
    )

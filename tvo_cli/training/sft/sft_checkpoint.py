"""The state of a fine-tuning on its way, FOLDER/resume: saved whole, gone on with, gone at the end."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tvo_cli.checkpoint.checkpoint_damage import newest_whole_checkpoint
from tvo_cli.checkpoint.checkpoint_folders import checkpoint_name, list_checkpoints, load_checkpoint
from tvo_cli.checkpoint.checkpoint_writer import bytes_to_store, save_checkpoint
from tvo_cli.checkpoint.optimizer_state import optimizer_tensors, restore_optimizer
from tvo_cli.checkpoint.pruning import prune_checkpoints, remove_checkpoint, remove_leftovers
from tvo_cli.checkpoint.sharded_parameters import held_tensors
from tvo_cli.errors import UserError
from tvo_cli.tracking import atomic_files
from tvo_cli.training.resume import resume_compatibility
from tvo_cli.training.resume.recorded_settings import (
    RECORD,
    record_settings,
    record_settings_of_new_checkpoint,
    recorded_settings,
)
from tvo_cli.training.run_data.demonstration_rows import sft_rows_fingerprint
from tvo_cli.training.sft.supervised_fine_tuning import FineTuning

log = logging.getLogger("tvo")
RESUME, PLAN, DONE = "resume", "plan.json", "sft.json"
PRECISION = "precision"
HARMLESS = (
    *("device", "threads", "checkpoint_every", "microbatch_tokens", "problems", "samples"),
    *("resume.", "output_dir", "experiment_name", "run_name"),
)


def check_resumable(folder: Path, resume: Any, asked: Mapping[str, Any]) -> None:
    """Make sure that what the folder holds of a fine-tuning belongs to the settings asked; nothing is written.

    Raises:
        UserError: it belongs to others, or there is nothing and resume=must.
    """
    mode, record = str(resume.mode), folder / RESUME / RECORD
    if mode == "must" and not record.is_file():
        raise UserError("resume", mode, f"there is nothing to go on with in {folder}.", "Take resume=auto.")
    if mode != "never" and record.is_file():
        recorded = {PRECISION: asked.get(PRECISION)} | recorded_settings(folder / RESUME)  # not known of earlier ones
        before = _decisive_sft_settings(recorded)
        allowed = tuple(map(str, resume.allow))
        resume_compatibility.check_same_settings(folder, before, _decisive_sft_settings(asked), allowed)


def begin(folder: Path, resume: Any, asked: Mapping[str, Any], steps: int) -> None:
    """Write the settings that what follows belongs to, and how many steps `steps=auto` has come to.

    resume=never takes what was there away. Beside states of other settings they are written with the first state
    that is made under them.
    """
    (folder / DONE).unlink(missing_ok=True)  # first: what it says would be taken for this fine-tuning's
    if str(resume.mode) == "never":
        shutil.rmtree(folder / RESUME, ignore_errors=True)
    (folder / RESUME).mkdir(parents=True, exist_ok=True)
    others = resume_compatibility.are_recorded_settings_other(folder / RESUME, asked)
    record_settings(folder / RESUME, asked, at_once=not others)
    atomic_files.write_json_atomically(folder / RESUME / PLAN, {"steps": steps})


def finished_record(folder: Path, resume: Any) -> dict[str, Any] | None:
    """What a fine-tuning of these settings that is done wrote of itself; None where there is none."""
    if str(resume.mode) == "never" or not (folder / RESUME / RECORD).is_file():
        return None
    try:
        found: dict[str, Any] = json.loads((folder / DONE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def save_fine_tuning(tuning: FineTuning, folder: Path, facts: Mapping[str, Any]) -> Path:
    """Write policy, optimiser and step; the one before is removed when this one is whole."""
    place = folder / RESUME / checkpoint_name(tuning.step)
    policy = tuning.policy
    save_checkpoint(
        place,
        policy=policy.save,
        policy_bytes=bytes_to_store({"policy": held_tensors(policy.trained_tensors())}),
        tensors={"optimizer": optimizer_tensors(tuning.optimizer, policy.network)},
        state={"step": tuning.step, "data": sft_rows_fingerprint(tuning.rows), **facts},
    )
    record_settings_of_new_checkpoint(folder / RESUME)
    prune_checkpoints(folder / RESUME, 1, saved=place)
    return place


def resume_fine_tuning(tuning: FineTuning, folder: Path) -> dict[str, Any]:
    """Go on from the newest whole state, where there is one; what else was saved with it.

    Raises:
        UserError: it was made with other rows.
    """
    root = folder / RESUME
    remove_leftovers(root)
    place = newest_whole_checkpoint(root, log.warning)
    if place is None:
        return {}
    parts, state = load_checkpoint(place)
    found = sft_rows_fingerprint(tuning.rows)
    if state["data"] != found:
        problem = f"gives other rows than the fine-tuning was begun with (recorded: {state['data']})."
        remedy = "Put the data back, name another output_dir, or take resume=never."
        raise UserError("dataset", found, problem, remedy)
    log.info("resuming %s from %s", folder, place.name)
    tuning.policy.restore(tuning.policy.read_saved(place / "policy"))
    restore_optimizer(tuning.optimizer, parts["optimizer"], tuning.policy.network)
    tuning.step = int(state["step"])
    return state


def forget_states(folder: Path) -> None:
    """Remove the states on the way of a fine-tuning that is done; its settings stay."""
    for place in list_checkpoints(folder / RESUME):
        remove_checkpoint(place)


def _decisive_sft_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without those that decide nothing of what is learned."""
    return {key: value for key, value in settings.items() if not key.startswith(HARMLESS)}

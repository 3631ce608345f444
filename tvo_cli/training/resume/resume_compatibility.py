"""Whether a run is resumed from its folder: its settings must be the recorded ones; or the earlier run is set aside."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tvo_cli import config as configuration
from tvo_cli.checkpoint import checkpoint_folders
from tvo_cli.config import schema
from tvo_cli.errors import UserError
from tvo_cli.tracking import own_code_copies
from tvo_cli.training.resume.recorded_settings import recorded_settings, resume_settings

log = logging.getLogger("tvo")
NOT_FINITE = ("inf", "-inf", "nan")
HARMLESS = (
    *("trainer.steps", "trainer.checkpoint_every", "trainer.keep", "trainer.threads", "trainer.resume"),
    *("trainer.save_policy_only", "trainer.microbatch_tokens", "trainer.matmul", "rollout.cache_gb"),
    "trainer.profile",
    *(
        f"rollout.{key}"
        for key in ("url", "model", "weights", "folder", "untie", "requests", "timeout", "mismatch_limit")
    ),
    *("trainer.device", "evaluation.", "stability.", "logger.", "parallel.", "resume.", "recorder."),
    *("experiment_name", "run_name", "output_dir", "sweep_objective"),
)
CHOICES = ("algorithm.name", "dataset.name", "dataset.kind", "dataset.path", "model.path")  # told first
SHOWN = 4  # settings that a refusal names
OWN_CODE = "own_code."  # and the file or package; its value is a sha256


def check_resumable(folder: Path, config: Any) -> None:
    """Make sure that checkpoints in the folder belong to this configuration; nothing is written.

    Raises:
        UserError: the folder holds checkpoints of a run whose settings differ, or none where one must be.
    """
    mode, root = str(config.resume.mode), folder / "checkpoints"
    for place in (root, folder / "recorder"):
        if place.is_symlink():
            raise UserError("output_dir", folder, f"{place.name} is a link that leads out of the run folder.")
    held = checkpoint_folders.list_checkpoints(root)
    if mode == "must" and not held:
        raise UserError("resume", mode, f"there is no checkpoint in {root}.", "Take resume=auto to start anew.")
    if held and mode != "never":
        check_same_settings(
            folder,
            recorded_settings(root),
            resume_settings(config),
            tuple(configuration.current_key_name(str(key)) for key in config.resume.allow),
        )


def check_same_settings(
    folder: Path, before: Mapping[str, Any], wanted: Mapping[str, Any], allowed: tuple[str, ...]
) -> None:
    """Refuse settings that differ from the recorded ones where they matter and `allowed` does not name them."""
    before = schema.upgrade_recorded_settings(before, wanted)
    _check_same_own_code(folder, before, wanted, allowed)
    differing = [key for key in differing_settings(before, wanted) if not key.startswith(OWN_CODE)]
    refused = [key for key in differing if not is_allowed_to_differ(key, allowed)]
    for key in () if refused else differing:
        log.warning("resume.allow: %s=%s (recorded: %s)", key, wanted.get(key), before.get(key))
    if refused:
        problem = f"holds a run with other settings: {told_settings(refused, before, wanted)}."
        remedy = f"Name another folder, or take resume=never to set its checkpoints aside{_allowance_of(refused)}."
        note = configuration.note_on_renamed_recipe(before, refused)
        raise UserError("output_dir", folder, problem, note + remedy)


def are_recorded_settings_other(root: Path, wanted: Mapping[str, Any]) -> bool:
    """Whether a folder holds checkpoints of settings that differ where they matter: such as `resume.allow` names."""
    if not checkpoint_folders.list_checkpoints(root):
        return False
    before = schema.upgrade_recorded_settings(recorded_settings(root), wanted)
    return bool(differing_settings(before, wanted))


def differing_settings(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The keys of settings that differ where they matter, what was chosen first."""
    differing = [key for key in sorted({*before, *wanted}) if not _is_same_setting(before.get(key), wanted.get(key))]
    return sorted((key for key in differing if not key.startswith(HARMLESS)), key=_rank_of_setting)


def told_settings(keys: Sequence[str], before: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The first of the settings with what is wanted and what was recorded, and how many more there are."""
    told = [f"{key}={wanted.get(key)} (recorded: {before.get(key)})" for key in keys]
    return ", ".join(told[:SHOWN]) + (f" and {len(told) - SHOWN} more" if len(told) > SHOWN else "")


def _rank_of_setting(key: str) -> int:
    """The place of a setting in a message: what was chosen, the data and the model, then all else."""
    if key in CHOICES:
        return CHOICES.index(key)
    return len(CHOICES) + ("._" in key)  # `…._target_` says little to a reader


def _allowance_of(refused: Sequence[str]) -> str:
    """The offer to let settings differ, where they are few: all of them, for less would be refused again."""
    return f"; or let them differ: resume.allow=[{','.join(refused)}]" if len(refused) <= SHOWN else ""


def _check_same_own_code(
    folder: Path, before: Mapping[str, Any], wanted: Mapping[str, Any], allowed: tuple[str, ...]
) -> None:
    """Refuse files of own code that have changed; what names more or fewer of them is a setting that differs."""
    changed = [key for key in sorted({*before} & {*wanted}) if key.startswith(OWN_CODE) and before[key] != wanted[key]]
    for key in changed:
        name, now, then = key.removeprefix(OWN_CODE), wanted[key][:12], before[key][:12]
        said = f"has changed since the run in {folder} began (sha256 {now}…, recorded {then}…)."
        if not is_allowed_to_differ(key, allowed):
            copy = own_code_copies.folder_of_own_code(folder, name, str(before[key]))
            back = f"What ran is kept in {copy}: put it back" if copy.exists() else "Put back what ran"
            remedy = f"{back}, name another output_dir, or take resume.allow=[own_code]."
            raise UserError("own_code", name, said, remedy)
        log.warning("resume.allow: own_code: %s %s", name, said)


def _is_same_setting(before: Any, wanted: Any) -> bool:
    """Whether two recorded values are one; version 0.1 wrote null for what is not finite."""
    return bool(before == wanted) or (before is None and wanted in NOT_FINITE)


def is_allowed_to_differ(key: str, allowed: Sequence[str]) -> bool:
    """Whether `resume.allow` names the key, or a node above it."""
    return any(key == one or key.startswith(f"{one}.") for one in allowed)

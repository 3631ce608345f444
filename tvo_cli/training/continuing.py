"""Whether a run folder may be gone on with: the same experiment, or none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tvo_cli import config as configuration
from tvo_cli.errors import UserError
from tvo_cli.tracking import run_folder
from tvo_cli.training import checkpoint

RECORD = "experiment.json"  # the resolved configuration of the checkpoints beside it
HARMLESS = (
    *("trainer.steps", "trainer.checkpoint_every", "trainer.keep", "trainer.resume", "trainer.threads"),
    *("trainer.device", "evaluation.", "stability.", "logger.", "experiment_name", "run_name", "output_dir"),
    "sweep_objective",
)


def check(folder: Path, config: Any) -> None:
    """Make sure that checkpoints in the folder belong to this configuration; nothing is written.

    Raises:
        UserError: the folder holds checkpoints of a run whose settings differ, or none where one must be.
    """
    mode, root = str(config.trainer.resume), folder / "checkpoints"
    held = list(root.glob("step-*")) if root.is_dir() else []
    if mode == "must" and not held:
        raise UserError("trainer.resume", mode, f"there is no checkpoint in {root}.", "Take auto to start anew.")
    if held and mode != "never":
        _compare(folder, _recorded(root), _settings(config))


def remember(folder: Path, config: Any) -> None:
    """Set the checkpoints of an abandoned run aside, and write down whose the new ones are."""
    root = folder / "checkpoints"
    if str(config.trainer.resume) == "never" and root.is_dir():
        _set_aside(root)
    root.mkdir(parents=True, exist_ok=True)
    run_folder.write_json(root / RECORD, _settings(config))


def _settings(config: Any) -> dict[str, Any]:
    return dict(_flat(configuration.masked(configuration.plain(config))))


def newest(folder: Path, report: Any) -> Path | None:
    """The checkpoint to go on from."""
    return checkpoint.newest(folder / "checkpoints", report)


def _recorded(root: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((root / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        remedy = "Name another folder, or take trainer.resume=never to set its checkpoints aside."
        raise UserError(
            "output_dir", root.parent, f"its checkpoints do not say whose they are ({error}).", remedy
        ) from error
    return found


def _set_aside(root: Path) -> None:
    """Nothing is ever deleted: the old checkpoints move next door."""
    root.rename(root.with_name(f"checkpoints-before-{datetime.now():%m%d-%H%M%S}"))


def _compare(folder: Path, before: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    differing = [
        f"{key}={wanted.get(key)} (there {before.get(key)})"
        for key in sorted({*before, *wanted})
        if before.get(key) != wanted.get(key) and not key.startswith(HARMLESS)
    ]
    if differing:
        shown = ", ".join(differing[:4]) + (f" and {len(differing) - 4} more" if len(differing) > 4 else "")
        raise UserError(
            "output_dir",
            folder,
            f"holds a run with other settings: {shown}.",
            "Name another folder, or take trainer.resume=never to set its checkpoints aside.",
        )


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.loads(json.dumps(value, default=str))

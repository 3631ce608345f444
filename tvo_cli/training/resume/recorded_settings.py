"""The settings that a folder's checkpoints belong to (experiment.json): a config's by dotted key, written and read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tvo_cli import config as configuration
from tvo_cli import redaction
from tvo_cli.errors import UserError
from tvo_cli.tracking import atomic_files

RECORD = "experiment.json"  # the resolved configuration of the checkpoints beside it
NEXT_RECORD = "experiment.next.json"  # that of a run which goes on from them under settings that may differ


def resume_settings(config: Any) -> dict[str, Any]:
    """The settings of a config that a resume compares, by dotted key, secrets redacted."""
    return dict(_flatten_settings(redaction.redacted(configuration.resolved_tree(config))))


def recorded_settings(root: Path) -> dict[str, Any]:
    """The settings that a resume is compared with: those that the checkpoints of a folder belong to."""
    try:
        found: dict[str, Any] = json.loads((root / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        remedy = "Name another folder, or take resume=never to set its checkpoints aside."
        raise UserError(
            "output_dir", root.parent, f"its checkpoints have no readable {RECORD} ({error}).", remedy
        ) from error
    return found


def record_settings(root: Path, settings: Mapping[str, Any], *, at_once: bool = True) -> None:
    """Record the settings of the checkpoints in a folder; not at once: with the first that is made under them."""
    (root / NEXT_RECORD).unlink(missing_ok=True)  # of a run that made none
    atomic_files.write_json_atomically(root / (RECORD if at_once else NEXT_RECORD), dict(settings))


def record_settings_of_new_checkpoint(root: Path) -> None:
    """Let settings that waited for a checkpoint under them be the recorded ones: there is one."""
    if (root / NEXT_RECORD).is_file():
        (root / NEXT_RECORD).replace(root / RECORD)


def _flatten_settings(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The settings to record for a resume: dotted key and value as strict JSON keeps it."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flatten_settings(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _as_strict_json(json.loads(json.dumps(value, default=str)))


def _as_strict_json(value: Any) -> Any:
    """As strict JSON keeps it: numbers that are not finite by their names, which null would not tell apart."""
    if isinstance(value, list):
        return [_as_strict_json(one) for one in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value

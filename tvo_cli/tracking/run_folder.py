"""The run folder: config.yaml, command.txt, versions.json and own code of a run, and removal of empty ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tvo_cli import config as configuration
from tvo_cli import redaction
from tvo_cli.tracking.atomic_files import write_json_atomically, write_text_atomically
from tvo_cli.tracking.own_code_copies import copy_own_code
from tvo_cli.tracking.software_versions import software_versions


def set_aside_earlier_run(path: Path, mark: str) -> None:
    """Rename a file or folder of an earlier run: summary.json to summary-MARK.json."""
    if path.exists():
        path.replace(path.with_name(f"{path.stem}-{mark}{path.suffix}"))


def describe_run(folder: Path, config: Any, command: str, environment: Mapping[str, Any] | None = None) -> None:
    """Write config.yaml (resolved, secrets redacted), command.txt, versions.json and copies of own code."""
    from tvo_cli.config.yaml_text import to_yaml

    tree = redaction.redacted(configuration.resolved_tree(config))
    write_text_atomically(folder / "config.yaml", to_yaml(tree))
    write_text_atomically(folder / "command.txt", command + "\n")
    copy_own_code(folder, config)
    where = {} if environment is None else {"environment": dict(environment)}
    write_json_atomically(
        folder / "versions.json",
        software_versions() | {"fingerprint": configuration.config_fingerprint(config)} | where,
    )


def remove_empty_run_folder(folder: Path) -> None:
    """Remove a run folder and the two above it, as far as they are empty; never the working folder."""
    for place in (folder, *list(folder.parents)[:2]):
        if place == Path.cwd() or place in Path.cwd().parents:
            return
        try:
            place.rmdir()
        except OSError:
            return

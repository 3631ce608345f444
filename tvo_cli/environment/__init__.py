"""Where a command runs: the machine, what is quick on it, what it can reach; the same for `tvo env` and for runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvo_cli.environment import machine, services
from tvo_cli.tracking import run_folder

if TYPE_CHECKING:
    from tvo_cli.environment.fast_paths import FastPath
    from tvo_cli.training.learner import Learner

VERSIONS = "versions.json"
__all__ = ["facts", "here", "of_run", "record"]


def facts(fast_paths: Sequence[FastPath], precision: str, device: str) -> dict[str, Any]:
    """Everything, in reading order; no key and no token, only whether there is one."""
    return {
        **machine.facts(),
        "device": device,
        "precision": precision,
        "fast_paths": {path.name: {"on": path.on, "why": path.why} for path in fast_paths},
        **services.facts(),
    }


def here() -> dict[str, Any]:
    """The facts of this machine, for no run in particular: what `auto` chooses."""
    from tvo_cli.environment import fast_paths
    from tvo_cli.training.runtime import choose_device

    return facts(fast_paths.here(), "float32", choose_device("auto").type)


def of_run(learner: Learner) -> dict[str, Any]:
    """Where a run runs, and which fast paths its own networks take."""
    from tvo_cli.environment import fast_paths

    runtime = learner.runtime
    precision = "bfloat16" if runtime.accelerator.mixed_precision == "bf16" else "float32"
    return facts(fast_paths.of_run(learner.policy, learner.optimizer, precision), precision, runtime.device.type)


def record(folder: Path, found: Mapping[str, Any]) -> None:
    """Add the facts to a run's versions.json, which keeps what it holds."""
    import json

    path = folder / VERSIONS
    held = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else run_folder.versions()
    run_folder.write_json(path, {**held, "environment": dict(found)})

"""The facts of the environment that a command runs in: gathered for a run or for none, and recorded in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvo_cli.environment import machine, services
from tvo_cli.tracking import atomic_files, software_versions

if TYPE_CHECKING:
    import torch

    from tvo_cli.environment.fast_paths import FastPath
    from tvo_cli.model import Policy
    from tvo_cli.training.device_and_precision import Runtime
    from tvo_cli.training.update.learner import Learner

VERSIONS = "versions.json"


def all_environment_facts(fast_paths: Sequence[FastPath], precision: str, device: str) -> dict[str, Any]:
    """Everything, in reading order; no key and no token, only whether there is one."""
    return {
        **machine.machine_facts(),
        "device": device,
        "precision": precision,
        "fast_paths": {path.name: {"on": path.on, "why": path.why} for path in fast_paths},
        **services.service_facts(),
    }


def facts_of_machine() -> dict[str, Any]:
    """The facts of this machine, for no run in particular: what `auto` chooses."""
    from tvo_cli.environment import fast_paths
    from tvo_cli.model.precision_choice import REAL_SIZE, choose_precision, has_bfloat16_products
    from tvo_cli.training.device_and_precision import choose_device

    kind = choose_device("auto").type
    precision = choose_precision(kind, "float32", REAL_SIZE, bfloat16=has_bfloat16_products(kind))
    return all_environment_facts(fast_paths.fast_paths_here(precision), precision, kind)


def facts_to_record() -> dict[str, Any]:
    """What a run would write into versions.json, for no run: software versions, and the facts of this machine."""
    return {**software_versions.software_versions(), "environment": facts_of_machine()}


def facts_of_run(learner: Learner) -> dict[str, Any]:
    """Where a run runs, and which fast paths its own networks take."""
    return facts_of_network(learner.policy, learner.runtime, learner.optimizer)


def facts_of_network(
    policy: Policy, runtime: Runtime, optimizer: torch.optim.Optimizer | None = None
) -> dict[str, Any]:
    """The same of a network that is evaluated, or trained by an optimiser that is not asked."""
    from tvo_cli.environment import fast_paths

    found = fast_paths.fast_paths_of_run(policy, optimizer, runtime.precision)
    return all_environment_facts(found, runtime.precision, runtime.device.type)


def facts_of_served_network(precision: str) -> dict[str, Any]:
    """The same where another engine holds the network: it chooses the device itself."""
    import torch

    from tvo_cli.environment import fast_paths

    device = "cuda" if torch.cuda.is_available() else "cpu"
    return all_environment_facts(fast_paths.fast_paths_of_run(None, None, precision), precision, device)


def fast_paths_taken(found: Mapping[str, Any]) -> list[str]:
    """Of a recorded environment, the names of the fast paths that are on."""
    return [name for name, path in found["fast_paths"].items() if path["on"]]


def record_environment(folder: Path, found: Mapping[str, Any], *, anew: bool = False) -> None:
    """Add the facts to a run's versions.json, which keeps what it holds; `anew`: an earlier command wrote that."""
    import json

    path = folder / VERSIONS
    kept = path.is_file() and not anew
    held = json.loads(path.read_text(encoding="utf-8")) if kept else software_versions.software_versions()
    atomic_files.write_json_atomically(path, {**held, "environment": dict(found)})

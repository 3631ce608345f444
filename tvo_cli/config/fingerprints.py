"""What decides a run's numbers, as one hash."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tvo_cli.config.moved_targets import first_target, with_targets
from tvo_cli.config.renamed_keys import first_names
from tvo_cli.config.resolving import plain

NOT_THE_EXPERIMENT = (
    "output_dir",
    "experiment_name",
    "run_name",
    "logger",
    "resume",
    "recorder",
    "sweep_objective",
    "hydra",
)  # left out of fingerprints
ONLY_HOW = ("matmul", "microbatch_tokens")  # of the trainer, likewise: the same numbers within rounding


def fingerprint(config: Any) -> str:
    """sha256 of what decides a run's numbers: the resolved config without its name, folder and loggers."""
    tree = {key: value for key, value in plain(config).items() if key not in NOT_THE_EXPERIMENT}
    if "trainer" in tree:
        tree["trainer"] = {key: value for key, value in tree["trainer"].items() if key not in ONLY_HOW}
    tree = with_targets(first_names(tree), first_target)
    return hashlib.sha256(json.dumps(tree, sort_keys=True, default=str).encode()).hexdigest()

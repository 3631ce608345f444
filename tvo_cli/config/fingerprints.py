"""The fingerprint of a config: a sha256 of what decides a run's numbers."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tvo_cli.config.moved_targets import first_target, with_targets
from tvo_cli.config.renamed_keys import with_first_key_names
from tvo_cli.config.resolvers import resolved_tree

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
TRAINER_KEYS_LEFT_OUT = ("matmul", "microbatch_tokens")  # of the trainer, likewise: the same numbers within rounding


def config_fingerprint(config: Any) -> str:
    """Return the sha256 of what decides a run's numbers: the resolved config without name, folder and loggers."""
    tree = {key: value for key, value in resolved_tree(config).items() if key not in NOT_THE_EXPERIMENT}
    if "trainer" in tree:
        tree["trainer"] = {key: value for key, value in tree["trainer"].items() if key not in TRAINER_KEYS_LEFT_OUT}
    tree = with_targets(with_first_key_names(_without_unused_keys(tree)), first_target)
    return hashlib.sha256(json.dumps(tree, sort_keys=True, default=str).encode()).hexdigest()


def _without_unused_keys(tree: dict[str, Any]) -> dict[str, Any]:
    """Return the tree without what a run does not use that was recorded before the keys existed."""
    if tree.get("adapter", {}).get("kind") == "none":
        tree = {key: value for key, value in tree.items() if key != "adapter"}
    model = tree.get("model")
    if isinstance(model, dict) and model.get("quantise") is None:
        tree = tree | {"model": {key: value for key, value in model.items() if key != "quantise"}}
    return tree

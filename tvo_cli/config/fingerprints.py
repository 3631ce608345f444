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
KEYS_LEFT_OUT = {  # of groups, likewise: the same numbers within rounding
    "trainer": ("matmul", "microbatch_tokens"),
    "rollout": ("cache_gb",),
}


def config_fingerprint(config: Any) -> str:
    """Return the sha256 of what decides a run's numbers: the resolved config without name, folder and loggers."""
    tree = {key: value for key, value in resolved_tree(config).items() if key not in NOT_THE_EXPERIMENT}
    for group, left_out in KEYS_LEFT_OUT.items():
        if group in tree:
            tree[group] = {key: value for key, value in tree[group].items() if key not in left_out}
    if tree.get("stability", {}).get("reference") == "auto":  # the key's value where `auto` was not known yet
        tree["stability"] = tree["stability"] | {"reference": True}
    tree = with_targets(with_first_key_names(tree), first_target)
    return hashlib.sha256(json.dumps(tree, sort_keys=True, default=str).encode()).hexdigest()

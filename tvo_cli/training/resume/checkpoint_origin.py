"""The origin of a checkpoint: configuration, code, torch, start model; compared with what is there now at a resume."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from tvo_cli import __version__
from tvo_cli import config as configuration
from tvo_cli.checkpoint.sharded_parameters import unsharded_tensor
from tvo_cli.checkpoint.tensor_fingerprint import fingerprint_of_tensors
from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.training.update.learner import Learner


def checkpoint_origin(config: Any, learner: Learner) -> dict[str, Any]:
    """What made a checkpoint: configuration, code, torch, and the model it started from, or an adapter's base."""
    reference, base = learner.reference, learner.policy.base
    return {
        "config": configuration.config_fingerprint(config),
        "code": origin_code_version(),
        "torch": torch.__version__,
        "ranks": learner.runtime.ranks.count,
        "base": None if base is None else base.fingerprint,
        "reference": None if reference is None or base is not None else _fingerprint_of_weights(reference),
    }


def _fingerprint_of_weights(policy: Policy) -> str:
    """Of sharded ones one whole tensor is in memory at a time; every rank takes part."""
    named = policy.network.state_dict()
    return fingerprint_of_tensors((name, unsharded_tensor(named[name])) for name in sorted(named))


@lru_cache(maxsize=1)
def origin_code_version() -> str:
    """The version and a checksum of our own sources: a checkout moves between two releases."""
    root = Path(__file__).resolve().parents[2]
    seen = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        seen.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return f"{__version__}+{seen.hexdigest()[:12]}"


def compare_checkpoint_origin(
    before: Mapping[str, Any], now: Mapping[str, Any], report: Callable[[str], object]
) -> None:
    """Report when code or torch differ from the checkpoint's.

    Raises:
        UserError: the reference, or the base of the adapter, is another model than that of the run's start.
    """
    check_resumed_base(before, now)
    references = before.get("reference"), now.get("reference")
    if all(references) and references[0] != references[1]:
        remedy = "Put the model of the start back, or name another output_dir."
        raise UserError("model.path", "…", "holds other weights than those the run started from.", remedy)
    if references[0] and not references[1] and not now.get("base"):
        report("this run has no KL reference, the checkpoint's had one: stability.reference=true goes on with it")
    former, ranks = before.get("ranks", 1), now.get("ranks", 1)
    if former != ranks:
        report(f"continuing on {ranks} ranks what {former} began: the same run, not the same bits")
    for key in ("code", "torch"):
        if before.get(key) != now.get(key):
            report(
                f"{key} is {now.get(key)}, the checkpoint's is {before.get(key)}: results may differ in the last bits"
            )


def check_resumed_base(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse an adapter beside other weights than those it was trained beside."""
    trained, found = before.get("base"), now.get("base")
    if trained and found and trained != found:
        problem = f"holds the weights {found[:16]}; the run's adapter belongs to {trained[:16]}."
        raise UserError("model.path", "…", problem, "Put the model of the start back, or name another output_dir.")

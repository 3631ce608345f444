"""rlwatch on logs with TRL's columns, step by step; one JSON line. Run by an interpreter that has it."""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

import rlwatch

NAMES = {
    "entropy": "entropy",
    "kl": "kl_divergence",
    "reward": "reward_mean",
    "reward_std": "reward_std",
    "loss": "loss",
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
}  # those of its own callback for TRL


def examined(log: dict[str, Any], folder: str) -> dict[str, Any]:
    """Its alerts in order, with their steps."""
    monitor = rlwatch.attach(framework="manual", run_id=log["id"].replace("/", "_"), storage={"log_dir": folder})
    found: list[list[Any]] = []
    for row in log["rows"]:
        shown = {ours: row[theirs] for theirs, ours in NAMES.items() if theirs in row}
        found += [[one.detector, one.severity, one.step] for one in monitor.log_step(int(row["step"]), **shown)]
    monitor.stop()
    worst = sorted(found, key=lambda one: one[1] != "critical")
    onset = log["onset"]
    steps = [step for *_, step in found if onset is not None and step >= onset]
    return {"id": log["id"], "found": [one[:2] for one in worst], "alarm": min(steps, default=None)}


def main() -> None:
    """`logs FILE`: examine each line of the file."""
    logging.disable(logging.CRITICAL)
    lines = Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()
    out, sys.stdout = sys.stdout, sys.stderr  # its alerts are printed
    with tempfile.TemporaryDirectory() as folder:
        found = [examined(json.loads(line), f"{folder}/{number}") for number, line in enumerate(lines)]
    print(json.dumps({"logs": found}), file=out)


if __name__ == "__main__":
    main()

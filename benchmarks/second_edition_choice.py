"""What the runs of a sweep say, and which rows and rates go on: the rules of docs/decisions/second-edition-plan.md."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from omegaconf import OmegaConf

from benchmarks.first_light import readings
from benchmarks.harness.record import Row

ERRORS = 4.0  # standard errors that make a fall
RIVALS = ("grpo", "reinforce", "ppo", "dapo", "grpo_kl_adaptive")  # of others, as their authors have them
RULE = "stability.refuse="  # the override that makes a row with refused updates


def runs_below(folder: Path, shape: str = "") -> list[Row]:
    """A row for each finished run of a sweep; `shape`: overrides that its rows have besides their algorithm."""
    return [_row_of_run(path.parent, shape) for path in sorted(folder.glob("*/summary.json"))]


def _row_of_run(folder: Path, shape: str) -> Row:
    chosen = OmegaConf.load(folder / "config.yaml")
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [row for row in map(json.loads, lines) if "accuracy/fresh" in row]
    rollouts = int(chosen.rollout.prompts) * int(chosen.rollout.samples)
    key = {
        "row": f"{chosen.algorithm.name} {shape}".strip(),
        "lr": float(chosen.optimizer.lr),
        "seed": int(chosen.seed),
    }
    return (
        key
        | {"lr": float(chosen.optimizer.lr)}
        | readings(summary, steps)
        | {"falls": falls([step["accuracy/fresh"] for step in steps], rollouts)}
        | _refused(folder)
        | _made_by(folder)
    )


def _made_by(folder: Path) -> Row:
    """The commit and the processor of a run: rows of several machines stand in one record."""
    versions = json.loads((folder / "versions.json").read_text(encoding="utf-8"))
    git, machine = versions["git"], versions["environment"]
    commit = "none" if git is None else git["commit"][:10] + (", changed since" if git["dirty"] else "")
    return {"commit": commit, "processor": f"{machine['cpu']}, {machine['cpu_kernels']}"}


def _refused(folder: Path) -> Row:
    """The steps whose update a run took back, and how many batches that cost; none where it takes none back."""
    verdict = json.loads((folder / "collapse.json").read_text(encoding="utf-8"))
    return {"refusals": [one["step"] for one in verdict.get("refusals", [])], "lost": verdict.get("batches_lost", 0)}


def falls(accuracy: Sequence[float], rollouts: int) -> int:
    """How often a batch is more than four standard errors of the difference below the one before."""
    return sum(before - now > ERRORS * _error(before, now, rollouts) for before, now in pairwise(accuracy))


def _error(before: float, now: float, rollouts: int) -> float:
    """Of the difference of two shares of so many rollouts, from their common share; never 0."""
    common = (before + now) / 2
    return math.sqrt(2 * max(common * (1 - common), 1 / rollouts) / rollouts)


def leading_rows(runs: Sequence[Row], count: int) -> list[str]:
    """The rows of the highest mean final accuracy at their own best rate, the best first; ties by name.

    A row with the rule and the same row without it have one place, the better one's. If no rival has a place, the
    best of them has the last one: the comparison is with rivals.
    """
    best = {row: max(means.values()) for row, means in _means(runs).items()}
    ranked = _one_of_twins(sorted(best, key=lambda row: (-best[row], row)))
    leaders, rivals = ranked[:count], [row for row in ranked if row.split()[0] in RIVALS]
    return leaders if not rivals or rivals[0] in leaders else [*leaders[:-1], rivals[0]]


def _one_of_twins(ranked: Sequence[str]) -> list[str]:
    """Without each row whose like, with the rule or without it, stands higher."""
    first: dict[str, str] = {}
    for row in ranked:
        first.setdefault(" ".join(word for word in row.split() if not word.startswith(RULE)), row)
    return list(first.values())


def best_rate(runs: Sequence[Row], row: str) -> float:
    """The rate at which a row has the highest mean final accuracy; the lower of two equal ones."""
    means = _means(runs)[row]
    return max(sorted(means), key=lambda rate: means[rate])


def _means(runs: Sequence[Row]) -> dict[str, dict[float, float]]:
    """Mean final accuracy by row and rate."""
    found: dict[str, dict[float, list[float]]] = {}
    for run in runs:
        found.setdefault(run["row"], {}).setdefault(run["lr"], []).append(run["final"])
    return {row: {rate: fmean(finals) for rate, finals in rates.items()} for row, rates in found.items()}

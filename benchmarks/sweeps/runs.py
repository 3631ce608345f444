"""A sweep that is run a seed at a time by `tvo train -m`, and what each of its runs says.

A finished seed is in the record, which is all that another machine needs to go on; an unfinished one goes on from its
folder.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from omegaconf import OmegaConf
from pydantic import model_validator

from benchmarks.harness.child_process import wait_for
from benchmarks.harness.collection import say
from benchmarks.harness.record import Row, flag, number, text
from benchmarks.harness.settings import Settings, option
from tvo_cli.stats import mean_interval

ERRORS = 4.0  # standard errors that make a fall
FIELDS = {  # of every run
    "row": text("algorithm, and the overrides that make a row of it"),
    "lr": number("learning rate", "1"),
    "seed": number("of the run", "1"),
    "final": number("pass@1 at the end", "share of problems solved"),
    "area": number("mean accuracy of the fresh rollouts", "share of rollouts"),
    "entropy": number("of a token at the last step", "nats"),
    "neutral": number("of the neutral words at the last step", "nats"),
    "collapsed": flag("final below half of its own peak, or entropy under a tenth of the start"),
    "falls": number("batches whose accuracy is over four standard errors below that of the batch before", "1"),
    "commit": text("of the code that ran, and where its worktree was changed"),
    "processor": text("that ran it, and the kernels that it took"),
}


class SweepSettings(Settings):
    """What can be chosen of any comparison that is made of sweeps."""

    folder: Path = option(Path("outputs"), "where the sweeps lie", of_start=True)
    overrides: tuple[str, ...] = option((), "for every run, to rehearse: give another --folder too")
    program: tuple[str, ...] = option((), "words before every tvo, such as nice -n 10", of_start=True)

    @model_validator(mode="after")
    def _keep_rehearsals_apart(self) -> Self:
        if self.overrides and "folder" not in self.model_fields_set:
            raise ValueError("with --overrides give another --folder too: its runs are not those of the comparison")
        return self


More = Callable[[Path, list[dict[str, Any]]], Row]  # further fields, of a run's folder and its steps


def sweep_one_seed(words: Sequence[str], program: Sequence[str], what: str) -> None:
    """`tvo train -m …`, or what is left of it; SystemExit with its exit code if it does not end well."""
    code = wait_for(command_of_sweep(words, program))
    if code:
        say(f"{what}: ended with {code}; the same command goes on")
        raise SystemExit(code)


def command_of_sweep(words: Sequence[str], program: Sequence[str]) -> list[str]:
    """`tvo train -m …` by this Python; `program` stands before it."""
    return [*program, sys.executable, "-m", "tvo_cli", "train", "-m", *words]


def no_more(_: Path, __: list[dict[str, Any]]) -> Row:
    """No further fields."""
    return {}


def runs_below(folder: Path, shape: str = "", more: More = no_more) -> list[Row]:
    """A row for each finished run of a sweep; `shape`: overrides that its rows have besides their algorithm."""
    return [_row_of_run(path.parent, shape, more) for path in sorted(folder.glob("*/summary.json"))]


def _row_of_run(folder: Path, shape: str, more: More) -> Row:
    chosen = OmegaConf.load(folder / "config.yaml")
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [row for row in map(json.loads, lines) if "accuracy/fresh" in row]
    rollouts = int(chosen.rollout.prompts) * int(chosen.rollout.samples)
    key = {"row": f"{chosen.algorithm.name} {shape}".strip(), "seed": int(chosen.seed)}
    key |= {"lr": float(chosen.optimizer.lr)}
    fallen = {"falls": falls([step["accuracy/fresh"] for step in steps], rollouts)}
    return key | readings(summary, steps) | fallen | _made_by(folder) | more(folder, steps)


def readings(summary: dict[str, Any], metrics: Sequence[dict[str, Any]]) -> Row:
    """What the tables say of a run."""
    steps = [row for row in metrics if "accuracy/fresh" in row]
    final = float(summary["evaluation"]["eval/pass@1"])
    return {
        "final": final,
        "area": statistics.fmean(step["accuracy/fresh"] for step in steps),
        "entropy": steps[-1]["policy/entropy"],
        "neutral": steps[-1].get("neutral/entropy", 0.0),
        "collapsed": collapsed(steps, final),
    }


def collapsed(steps: Sequence[dict[str, Any]], final: float) -> bool:
    """Below half of its own peak, or entropy under a tenth of the start (docs/metrics.md)."""
    entropy = [step["policy/entropy"] for step in steps]
    fallen = final < 0.5 * peak([step["accuracy/fresh"] for step in steps])
    return bool(fallen or statistics.fmean(entropy[-3:]) < 0.1 * entropy[0])


def peak(accuracy: Sequence[float]) -> float:
    """The greatest mean of three batches on end."""
    return max(statistics.fmean(accuracy[max(0, i - 2) : i + 1]) for i in range(len(accuracy)))


def _made_by(folder: Path) -> Row:
    """The commit and the processor of a run: rows of several machines stand in one record."""
    versions = json.loads((folder / "versions.json").read_text(encoding="utf-8"))
    git, machine = versions["git"], versions["environment"]
    commit = "none" if git is None else git["commit"][:10] + (", changed since" if git["dirty"] else "")
    return {"commit": commit, "processor": f"{machine['cpu']}, {machine['cpu_kernels']}"}


def refusals_of(folder: Path, _: list[dict[str, Any]]) -> Row:
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


def cells_of_runs(rows: Sequence[Row], means: Sequence[str]) -> list[str]:
    """Mean final accuracy with its 95% t interval, means of further fields, collapses and falls."""
    final = mean_interval([row["final"] for row in rows])
    told = [f"{sum(row[name] for row in rows) / len(rows):.3f}" for name in means]
    collapsed = f"{sum(row['collapsed'] for row in rows)} of {len(rows)}"
    falls = str(sum(row["falls"] for row in rows))
    return [f"{final.mean:.3f} [{final.low:.3f}, {final.high:.3f}]", *told, collapsed, falls]

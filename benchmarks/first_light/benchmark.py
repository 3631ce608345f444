"""The first comparison: every algorithm on the embedded tasks, over learning rates, seeds, cooling and inner epochs.

    python -m benchmarks.first_light --workers 2                    315 runs, about an hour on two idle cores; resumable
    python -m benchmarks.first_light --figure docs/results/figures  the figure of accuracy against learning rate too

A run is `tvo train <overrides> logger=none`. A run that is there is read, not made again: it is recognised by its
summary.json. Seeds 0 to 4 report; defaults were chosen on seeds 100 and 101. benchmarks.first_light.arms has the runs.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from benchmarks.first_light.arms import Arm, arms
from benchmarks.first_light.figure import draw
from benchmarks.harness import markdown
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.child_process import FOLDER
from benchmarks.harness.record import Record, Row, flag, group, number, text
from benchmarks.harness.settings import Settings, option
from benchmarks.sweeps.runs import readings
from tvo_cli.stats import mean_interval

QUIET = ("logger=none", "trainer.checkpoint_every=0", "trainer.threads=1", "evaluation.at_start=false")
Part = Literal["rates", "tasks", "cooling", "epochs"]
TABLES = {
    "runs": {
        "part": text("what is varied"),
        "task": text("model and data"),
        "algorithm": text("which algorithm"),
        "lr": number("learning rate", "1"),
        "extra": text("further overrides"),
        "seed": number("of the run", "1"),
        "final": number("pass@1 at the end", "share of problems solved"),
        "area": number("mean accuracy of the fresh rollouts", "share of rollouts"),
        "entropy": number("of a token at the last step", "nats"),
        "neutral": number("of the neutral tokens at the last step", "nats"),
        "collapsed": flag("final below half of its own peak, or entropy under a tenth of the start"),
    }
}


class Chosen(Settings):
    """What can be chosen."""

    parts: tuple[Part, ...] = option(("rates", "tasks", "cooling", "epochs"), "what is varied")
    algorithms: tuple[str, ...] = option((), "only these")
    seeds: tuple[int, ...] = option((0, 1, 2, 3, 4), "of the runs; tasks take those under 3", min_length=1)
    workers: int = option(os.cpu_count() or 1, "processes", gt=0)
    folder: Path = option(Path("outputs/first-light"), "where the runs lie")
    overrides: tuple[str, ...] = option((), "further overrides of every run; give them a folder of their own")


QUICK = {
    **{"parts": ("cooling",), "algorithms": ("tvo_2025",), "seeds": (0,), "workers": 1},
    "folder": FOLDER / "quick" / "first-light",
    "overrides": ("trainer.steps=2", "rollout.prompts=4", "rollout.samples=2", "evaluation.samples=1"),
}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """Seed by seed inside a part, so that an interrupted measurement leaves whole seeds."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the workers
    for part in settings.parts:
        mine = [arm for arm in arms() if arm.part == part]
        for seed in settings.seeds:
            for arm in mine:
                if seed < arm.seeds and (not settings.algorithms or arm.algorithm in settings.algorithms):
                    key = {"part": part, "task": arm.task, "algorithm": arm.algorithm, "lr": arm.lr}
                    key |= {"extra": " ".join(arm.extra), "seed": seed}
                    yield Measurement("runs", key, partial(trained, arm, seed, settings.folder, settings.overrides))


def trained(arm: Arm, seed: int, root: Path, overrides: Sequence[str] = ()) -> Row:
    """A run's readings, after training where it is not done."""
    folder = arm.folder(root, seed)
    if not (folder / "summary.json").is_file():
        _train(folder, [*arm.overrides(seed), *overrides])
    steps = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return readings(json.loads((folder / "summary.json").read_text(encoding="utf-8")), steps)


def _train(folder: Path, overrides: Sequence[str]) -> None:
    import torch
    import transformers

    from tvo_cli import config
    from tvo_cli.experiment import train

    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    train(config.compose([*QUIET, *overrides, f"output_dir='{folder}'", "logger.console=off"]))


HEADINGS = ("algorithm", "lr", "settings", "n", "pass@1 (95% t)", "AUC", "seeds", "entropy", "neutral", "collapsed")


def table(record: Record) -> str:
    """A table for each part and task, every seed shown."""
    order = {(arm.part, arm.task, arm.algorithm, arm.lr, " ".join(arm.extra)): i for i, arm in enumerate(arms())}
    names = ("part", "task", "algorithm", "lr", "extra")
    rows = sorted(record.rows("runs"), key=lambda row: (order.get(tuple(row[name] for name in names), 0), row["seed"]))
    tables = []
    for (part, task), found in group(rows, "part", "task").items():
        lines = [line(mine) for mine in group(found, "algorithm", "lr", "extra").values()]
        tables.append(f"### {part}: {task}\n\n{markdown.table(HEADINGS, lines)}")
    return "\n\n".join(tables)


def line(runs: Sequence[Row]) -> list[str]:
    """One line of a table: the seeds of an arm."""
    final = [row["final"] for row in runs]
    interval = mean_interval(final) if len(final) > 1 else None
    shown = f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]" if interval else f"{final[0]:.3f}"
    means = {name: statistics.fmean(row[name] for row in runs) for name in ("area", "entropy", "neutral")}
    return [
        *(runs[0]["algorithm"], f"{runs[0]['lr']:g}", runs[0]["extra"] or "-", str(len(runs)), shown),
        f"{means['area']:.3f}",
        " ".join(f"{value:.3f}" for value in final),
        *(f"{means['entropy']:.2f}", f"{means['neutral']:.2f}"),
        f"{sum(row['collapsed'] for row in runs)}/{len(runs)}",
    ]


BENCHMARK = Benchmark("first_light", __doc__, Chosen, QUICK, TABLES, measure, table, figure=draw)

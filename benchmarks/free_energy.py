"""How far the Lyapunov picture holds: what each update promises F to fall by, against what fresh rollouts show.

    python -m benchmarks.free_energy --algorithms tvo_2025 grpo --seeds 0 1 2 3

Of every batch but the first: `thermo/predicted_dissipation` (‖∇F‖²_P·Σ η/ν of the update, noise of the gradient
included), the share of that which the gradient-noise reading calls signal, and `thermo/dissipation`, what the next
batch shows. A slope is Σ xy / Σ x² of a run, through the origin; intervals are Student's over seeds.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.harness import markdown
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.record import Record, Row, number, numbers, text
from benchmarks.harness.settings import Settings, option
from tvo_cli import config
from tvo_cli.experiment import train
from tvo_cli.stats.confidence_interval import mean_interval

QUIET = ("logger=none", "logger.console=off", "trainer.threads=1", "trainer.checkpoint_every=0", "evaluation=off")
TABLES = {
    "runs": {
        "algorithm": text("recipe at its own rate and passes"),
        "seed": number("of the run", "1"),
        "predicted": numbers("each update: what it promises F to fall by", "reward"),
        "signal": numbers("each update: the same, less the share of noise in its gradients", "reward"),
        "realised": numbers("each update: what F falls by from its batch to the next", "reward"),
    }
}


class Chosen(Settings):
    """What can be chosen."""

    algorithms: tuple[str, ...] = option(("tvo_2025", "grpo"), "recipes", min_length=1)
    steps: int = option(30, "batches a run", gt=3)
    seeds: tuple[int, ...] = option((0, 1, 2, 3), "of the runs", min_length=1)


QUICK = {"algorithms": ("grpo",), "steps": 4, "seeds": (0, 1)}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """Each algorithm on each seed."""
    for seed in settings.seeds:
        for algorithm in settings.algorithms:
            key = {"algorithm": algorithm, "seed": seed}
            yield Measurement("runs", key, partial(_run, algorithm, seed, settings.steps))


def _run(algorithm: str, seed: int, steps: int) -> Row:
    with tempfile.TemporaryDirectory() as place:
        words = (f"algorithm={algorithm}", f"seed={seed}", f"trainer.steps={steps}", f"output_dir={place}/run")
        chosen = config.compose([*QUIET, *words])
        minibatches = int(chosen.rollout.minibatches)
        train(chosen)
        lines = (Path(place) / "run" / "metrics.jsonl").read_text().splitlines()
    return changes_of_rows([json.loads(line) for line in lines], minibatches)


def changes_of_rows(rows: Sequence[dict[str, float]], minibatches: int) -> Row:
    """The three series of a run: a row has what the update of the row before it promised, and what that came to."""
    found: Row = {"predicted": [], "signal": [], "realised": []}
    for before, row in pairwise(rows):
        noise = before["gradient/normalised_variance"] * minibatches  # of a minibatch's gradient, over its signal
        found["predicted"].append(row["thermo/predicted_dissipation"])
        found["signal"].append(row["thermo/predicted_dissipation"] / (1.0 + noise))
        found["realised"].append(row["thermo/dissipation"])
    return found


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Σ xy / Σ x²: of the line through the origin."""
    return float(np.dot(x, y) / np.dot(x, x))


def correlation(x: Sequence[float], y: Sequence[float]) -> float:
    """Pearson's."""
    return float(np.corrcoef(x, y)[0, 1])


def table(record: Record) -> str:
    """A row an algorithm: sums, slopes and correlations of its runs, mean and interval over seeds."""
    lines = []
    for algorithm in dict.fromkeys(row["algorithm"] for row in record.rows("runs")):
        runs = [row for row in record.rows("runs") if row["algorithm"] == algorithm]
        sums = [[math.fsum(row[name]) for row in runs] for name in ("predicted", "signal", "realised")]
        fits = [
            [fit(row[name], row["realised"]) for row in runs]
            for fit in (slope, correlation)
            for name in ("predicted", "signal")
        ]
        series: list[list[float]] = [*sums, *fits]
        lines.append([algorithm, str(len(runs)), *map(_over_seeds, series)])
    names = ("Σ predicted", "Σ signal", "Σ realised", "slope", "slope of signal", "correlation", "of signal")
    return markdown.table(["algorithm", "seeds", *names], lines)


def _over_seeds(values: Sequence[float]) -> str:
    interval = mean_interval(values, 0.95)
    return f"{interval.mean:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


BENCHMARK = Benchmark(Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table)

if __name__ == "__main__":
    BENCHMARK.main()

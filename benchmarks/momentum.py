"""Whether momentum carries a policy past the brake: β₁ = 0 and 0.9 under viscosity, by displacement and seed.

    python -m benchmarks.momentum

`tvo train -m experiment=momentum`, a seed at a time. Falls of one batch are counted as well as collapses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from omegaconf import OmegaConf

from benchmarks.harness import markdown
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.record import Record, Row, group, number
from benchmarks.harness.settings import Settings, option
from benchmarks.sweeps.runs import FIELDS, runs_below, sweep_one_seed
from tvo_cli.stats import mean_interval, wilson_interval
from tvo_cli.stats.t_tests import paired_difference

SEEDS = tuple(range(120, 130))
OVERDAMPED, INERT = 0.0, 0.9  # β₁
TABLES = {
    "runs": FIELDS
    | {
        "displacement": number("d of the set-point: mean logit displacement of a batch at even odds", "nats"),
        "momentum": number("β₁ of Adam", "1"),
    }
}


class Chosen(Settings):
    """What can be chosen."""

    seeds: tuple[int, ...] = option(SEEDS, "of the runs")
    folder: Path = option(Path("outputs/momentum"), "where the sweeps lie")
    overrides: tuple[str, ...] = option((), "for every run, to rehearse: give another --folder too")
    program: tuple[str, ...] = option((), "words before every tvo, such as nice -n 10", of_start=True)


QUICK = {"seeds": (0,), "overrides": ("trainer.steps=1", "evaluation.problems=8"), "folder": Path("outputs/quick")}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """Six runs a seed."""
    for seed in settings.seeds:
        yield Measurement("runs", {"seed": seed}, partial(_swept, settings, seed))


def _swept(settings: Chosen, seed: int) -> list[Row]:
    folder = settings.folder / str(seed)
    words = ["experiment=momentum", *settings.overrides, f"seed={seed}", f"output_dir={folder}"]
    sweep_one_seed(words, settings.program, f"seed {seed}")
    return runs_below(folder, more=_setting)


def _setting(folder: Path, _: list[dict[str, Any]]) -> Row:
    chosen = OmegaConf.load(folder / "config.yaml")
    displacement = float(chosen.algorithm.step_rule.set_point.displacement)
    return {"displacement": displacement, "momentum": float(chosen.optimizer.make.betas[0])}


def table(record: Record) -> str:
    """Each setting, then what β₁ = 0 gains over 0.9 at equal displacement, by seed."""
    found = group(record.rows("runs"), "displacement", "momentum")
    lines = [[f"{d:g}", f"{momentum:g}", *_cells(runs)] for (d, momentum), runs in sorted(found.items())]
    head = ["d", "β₁", "final [95%]", "lowest", "area", "entropy", "falls (runs with one)", "collapsed [95%]", "seeds"]
    gains = [
        [f"{d:g}", name, *_gain(found[d, OVERDAMPED], found[d, INERT], name)]
        for d in sorted({d for d, momentum in found if {(d, OVERDAMPED), (d, INERT)} <= found.keys()})
        for name in ("final", "area", "falls")
    ]
    below = markdown.table(["d", "reading", "β₁ = 0 less 0.9, by seed [95%]", "p"], gains)
    return f"{markdown.table(head, lines)}\n\n{below}"


def _cells(runs: Sequence[Row]) -> list[str]:
    finals = [run["final"] for run in runs]
    found, count = mean_interval(finals), sum(run["collapsed"] for run in runs)
    bound, fallen = wilson_interval(count, len(runs)), sum(run["falls"] > 0 for run in runs)
    return [
        f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]",
        f"{min(finals):.3f}",
        *(f"{fmean(run[name] for run in runs):.3f}" for name in ("area", "entropy")),
        f"{sum(run['falls'] for run in runs)} ({fallen})",
        f"{count} [{bound.low:.3f}, {bound.high:.3f}]",
        str(len(runs)),
    ]


def _gain(first: Sequence[Row], second: Sequence[Row], name: str) -> list[str]:
    """Of the seeds that both have."""
    one, other = ({run["seed"]: float(run[name]) for run in runs} for runs in (first, second))
    seeds = sorted(one.keys() & other.keys())
    found = paired_difference([one[seed] for seed in seeds], [other[seed] for seed in seeds])
    ends = "(equal in every seed)" if math.isnan(found.low) else f"[{found.low:+.3f}, {found.high:+.3f}]"
    return [f"{found.difference:+.3f} {ends}", f"{found.p:.3g}"]


BENCHMARK = Benchmark(Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table, any_machine=True)

if __name__ == "__main__":
    BENCHMARK.main()

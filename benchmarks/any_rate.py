"""TVO at learning rates from 1e-5 to 3e-3 on the three embedded tasks: docs/decisions/any-rate.md.

    python -m benchmarks.any_rate --plan-only      the sum of core hours, from batches timed on this machine
    python -m benchmarks.any_rate --out docs/results/any-rate/record.json      1.0 core hours by its own sum; resumable

Each sweep is `tvo train -m experiment=second_edition… algorithm=tvo`, on the seeds of the second edition, a seed at a
time. The tables set its rows beside those of the second edition's record, paired by seed; `tvo_one_response`, which is
`tvo` without the step rule, also runs at those rates of addition and sparse that the second edition gave it none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.harness import markdown, record
from benchmarks.harness.benchmark import Benchmark, Measurement, Unfinished
from benchmarks.harness.record import Record, Row, group, text
from benchmarks.harness.settings import option
from benchmarks.sweeps.choice import RULE
from benchmarks.sweeps.core_hours import PLAN, sum_of, table_of_sum
from benchmarks.sweeps.runs import FIELDS, SweepSettings, cells_of_runs, runs_below, sweep_one_seed
from benchmarks.sweeps.sweep import FRESH, Sweep, last_of_each, later
from benchmarks.sweeps.verdicts import verdicts

BEFORE = Path("docs/results/second-edition/record.json")  # whose rows stand beside
ROW, OUTSIDE = "tvo", 1e-5  # a rate that the second edition's grid does not have
WITHOUT = "tvo_one_response"  # the recipe without the step rule
SWEEPS = (
    Sweep("arithmetic", "second_edition", 50, 30, words=("optimizer.lr=1e-5,5e-5,2e-4,1e-3,3e-3",)),
    Sweep("addition", "second_edition_addition", 40, 30, words=("optimizer.lr=5e-5,2e-4,1e-3,3e-3",)),
    Sweep("sparse", "second_edition_sparse", 40, 60, words=("optimizer.lr=5e-5,2e-4,1e-3,3e-3",)),
    Sweep("120 batches", "second_edition_long", 10, 120, words=("optimizer.lr=5e-5,3e-3",), seeds=FRESH[:5]),
    later(f"sparse: {WITHOUT}", "second_edition_sparse", WITHOUT, 30, 60, ("optimizer.lr=5e-5,2e-4,3e-3",)),
    later(f"addition: {WITHOUT}", "second_edition_addition", WITHOUT, 20, 30, ("optimizer.lr=5e-5,3e-3",)),
)
TABLES = {
    "plan": PLAN,
    "runs": {"sweep": text("which task")} | FIELDS,
}


class Chosen(SweepSettings):
    """What can be chosen."""

    plan_only: bool = option(False, "print the sum and stop", of_start=True)
    folder: Path = option(Path("outputs/any_rate"), "where the sweeps lie", of_start=True)
    seeds: tuple[int, ...] = option(FRESH, "of them those that a sweep has")


QUICK = {
    "overrides": ("trainer.steps=2", "evaluation.problems=8", "optimizer.lr=1e-3"),
    "folder": Path("outputs/any_rate_quick"),
    "seeds": FRESH[:1],
}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """The sum; then every sweep, seed by seed."""
    yield Measurement("plan", {}, partial(sum_of, SWEEPS))
    if settings.plan_only:
        raise Unfinished("the plan alone was asked for; without --plan-only the sweeps begin")
    for sweep in SWEEPS:
        for seed in (seed for seed in sweep.seeds if seed in settings.seeds):
            yield Measurement("runs", {"sweep": sweep.name, "seed": seed}, partial(_swept, settings, sweep, seed))


def _swept(settings: Chosen, sweep: Sweep, seed: int) -> list[Row]:
    folder = settings.folder / re.sub(r"[^\w]+", "-", sweep.name) / str(seed)
    given = last_of_each((f"algorithm={ROW}", *sweep.words, *settings.overrides, f"seed={seed}"))
    words = (f"experiment={sweep.preset}", *given, f"output_dir={folder}")
    sweep_one_seed(words, settings.program, f"{sweep.name}, seed {seed}")
    return runs_below(folder)


def table(found: Record) -> str:
    """The sum; each rate's finals, area, entropy, collapses and falls; the rows of the second edition against it."""
    runs = found.rows("runs")
    found_at = group(runs, "sweep", "lr").items()
    lines = [[*map(str, key), *cells_of_runs(rows, ("area", "entropy"))] for key, rows in found_at]
    head = ["task", "rate", "final [95%]", "area", "entropy", "collapsed", "falls"]
    parts = [table_of_sum(found.rows("plan")), markdown.table(head, lines) if lines else ""]
    before = record.read(BEFORE).rows("runs") if BEFORE.is_file() and runs else []
    tasks = dict.fromkeys(row["sweep"].partition(": ")[0] for row in runs)
    parts += [_against_second_edition(task, runs, before) for task in tasks]
    return "\n\n".join(filter(None, parts))


def _against_second_edition(task: str, runs: list[Row], before: list[Row]) -> str:
    """The task's rows of the second edition without the rule, at the rates of its grid, against those of `runs`."""
    mine = [row for row in runs if row["sweep"].partition(": ")[0] == task and row["lr"] != OUTSIDE]
    others = [row for row in before if _task_of(row["sweep"]) == task and RULE not in row["row"]]
    if not others or len({row["seed"] for row in mine}) < 2:
        return ""
    return f"**{task}**\n\n" + verdicts([*mine, *others], (ROW,))


def _task_of(sweep: str) -> str:
    """The task of a sweep of the second edition: `addition: ROW`, `120 batches: ROW`, or one of those on arithmetic."""
    name, _, row = sweep.partition(": ")
    return name if row else "arithmetic"


BENCHMARK = Benchmark(
    Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table, seeds=FRESH, any_machine=True
)

if __name__ == "__main__":
    BENCHMARK.main()

"""TVO at learning rates from 1e-5 to 3e-3 on the three embedded tasks: docs/decisions/any-rate.md.

    python -m benchmarks.any_rate --plan-only      the sum of core hours, from batches timed on this machine
    python -m benchmarks.any_rate --out docs/results/any-rate/record.json      2.5 core hours by its own sum; resumable

Each sweep is `tvo train -m experiment=second_edition… algorithm=…`, a seed at a time: `tvo` on the seeds of the second
edition; `tvo` whose set-point time cools further, on those seeds of arithmetic and on ten of addition and sparse that
nothing else has used; `tvo_one_response`, which is `tvo` without the step rule, at those rates of addition and
sparse that the second edition gave it none; and the rivals of arithmetic between the rates of that grid. The tables set
them beside the second edition's rows, paired by seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.harness import markdown, record
from benchmarks.harness.benchmark import Benchmark, Measurement, Unfinished
from benchmarks.harness.record import Record, Row, group, number, text
from benchmarks.harness.settings import option
from benchmarks.sweeps.choice import RULE
from benchmarks.sweeps.core_hours import PLAN, sum_of, table_of_sum
from benchmarks.sweeps.runs import FIELDS, SweepSettings, cells_of_runs, peak, runs_below, sweep_one_seed
from benchmarks.sweeps.sweep import FRESH, Sweep, folder_name, last_of_each, later
from benchmarks.sweeps.verdicts import verdicts

BEFORE = Path("docs/results/second-edition/record.json")  # whose rows stand beside
ROW, OUTSIDE = "tvo", 1e-5  # a rate that the second edition's grid does not have
COOLER = "tvo algorithm.step_rule.schedule.end=0.5"  # whose set-point time cools further: to a half, not to 1
WITHOUT = "tvo_one_response"  # the recipe without the step rule
LOSS = 0.05  # of accuracy, from the peak to the end
UNUSED = tuple(range(1010, 1020))  # seeds that nothing else has used
ARITHMETIC, ADDITION, SPARSE = ("second_edition", 30), ("second_edition_addition", 30), ("second_edition_sparse", 60)
GRID, WIDER = "optimizer.lr=5e-5,2e-4,1e-3,3e-3", f"optimizer.lr={OUTSIDE:g},5e-5,2e-4,1e-3,3e-3"
OUTER, LOWER, BETWEEN = "optimizer.lr=5e-5,3e-3", "optimizer.lr=5e-5,2e-4,3e-3", "optimizer.lr=1e-4,5e-4"
FOUR_PASSES = "rollout.epochs=4 rollout.minibatches=4"
RIVALS = (  # `reinforce` at its authors' one update a batch has the runs of `grpo`
    *("grpo", "ppo", "dapo", "grpo_kl_adaptive"),
    *(f"{name} {FOUR_PASSES}" for name in ("grpo", "reinforce", "dapo", "grpo_kl_adaptive")),
)


def _sweep(task: str, row: str, preset: tuple[str, int], rates: str, seeds: tuple[int, ...] = FRESH) -> Sweep:
    """A row's sweep; `preset`: its name, and the batches of its runs."""
    return later(f"{task}: {row}", preset[0], row, len(seeds) * len(rates.split(",")), preset[1], (rates,), seeds)


SWEEPS = (
    _sweep("arithmetic", ROW, ARITHMETIC, WIDER),
    _sweep("addition", ROW, ADDITION, GRID),
    _sweep("sparse", ROW, SPARSE, GRID),
    _sweep("120 batches", ROW, ("second_edition_long", 120), OUTER, FRESH[:5]),
    _sweep("addition", COOLER, ADDITION, GRID, UNUSED),
    _sweep("sparse", COOLER, SPARSE, GRID, UNUSED),
    _sweep("arithmetic", COOLER, ARITHMETIC, WIDER),
    _sweep("sparse", WITHOUT, SPARSE, LOWER),
    _sweep("addition", WITHOUT, ADDITION, OUTER),
    *(_sweep("arithmetic", rival, ARITHMETIC, BETWEEN) for rival in RIVALS),
)
TABLES = {
    "plan": PLAN,
    "runs": {
        "sweep": text("which task, and which row"),
        **FIELDS,
        "peak": number("greatest mean accuracy of three batches", "share of rollouts"),
    },
}


class Chosen(SweepSettings):
    """What can be chosen."""

    plan_only: bool = option(False, "print the sum and stop", of_start=True)
    folder: Path = option(Path("outputs/any_rate"), "where the sweeps lie", of_start=True)
    seeds: tuple[int, ...] = option((*FRESH, *UNUSED), "of them those that a sweep has")


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
    folder = settings.folder / folder_name(sweep) / str(seed)
    given = last_of_each((*sweep.words, *settings.overrides, f"seed={seed}"))
    words = (f"experiment={sweep.preset}", *given, f"output_dir={folder}")
    sweep_one_seed(words, settings.program, f"{sweep.name}, seed {seed}")
    return runs_below(folder, sweep.shape, _peak_of)


def _peak_of(_: Path, steps: list[Row]) -> Row:
    return {"peak": peak([step["accuracy/fresh"] for step in steps])}


def _lost(rows: list[Row]) -> str:
    """How many of the runs end more than 0.05 below their peak."""
    return f"{sum(row['final'] < row['peak'] - LOSS for row in rows)} of {len(rows)}"


def table(found: Record) -> str:
    """The sum; each rate's finals, area, entropy, collapses, falls and losses; the second edition's rows against it."""
    runs = found.rows("runs")
    found_at = group(runs, "sweep", "lr").items()
    lines = [[*_names(*key), *cells_of_runs(rows, ("area", "entropy")), _lost(rows)] for key, rows in found_at]
    head = ["task", "row", "rate", "final [95%]", "area", "entropy", "collapsed", "falls", "lost"]
    parts = [table_of_sum(found.rows("plan")), markdown.table(head, lines) if lines else ""]
    before = record.read(BEFORE).rows("runs") if BEFORE.is_file() and runs else []
    parts += [_against_second_edition(task, runs, before) for task in dict.fromkeys(_task_of(row) for row in runs)]
    return "\n\n".join(filter(None, parts))


def _names(sweep: str, rate: float) -> tuple[str, str, str]:
    """The task, the row, and the rate."""
    task, _, row = sweep.partition(": ")
    return task, row, f"{rate:g}"


def _against_second_edition(task: str, runs: list[Row], before: list[Row]) -> str:
    """The task's rows of the second edition without the rule, at the rates of its grid, against those of `runs`."""
    here = [row for row in runs if _task_of(row) == task and row["lr"] != OUTSIDE and row["seed"] in FRESH]
    others = [row for row in before if _task_of(row) == task and RULE not in row["row"]]
    if not others or len({row["seed"] for row in here if row["row"] == ROW}) < 2:
        return ""
    return f"**{task}**\n\n" + verdicts([*here, *others], (ROW,))


def _task_of(row: Row) -> str:
    """The task of a run: `addition: ROW`, `120 batches: ROW`; the second edition's others are on arithmetic."""
    name, _, which = row["sweep"].partition(": ")
    return name if which else "arithmetic"


BENCHMARK = Benchmark(
    Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table, seeds=(*FRESH, *UNUSED), any_machine=True
)

if __name__ == "__main__":
    BENCHMARK.main()

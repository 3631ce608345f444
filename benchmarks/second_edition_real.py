"""The second edition on SmolLM2-135M: four rows, three seeds, 60 batches at 3e-5; the sum of core hours first.

    python -m benchmarks.second_edition_real --plan-only      the sum, from runs of both sizes timed here; minutes
    python -m benchmarks.second_edition_real --out docs/results/second-edition-real/record.json      hours

A sum of its own in docs/decisions/second-edition-plan.md. The sweeps are `tvo train -m experiment=second_edition_real`
(GRPO and TVO of 0.1 in groups of eight) and `second_edition_real_one_response` (TVO, and GRPO with its variance
pieces), a seed of both at a time. A finished seed is in the record, which is all that another machine needs to go on
with the same command; an unfinished run goes on from its folder. The weights: `tvo fetch smollm2-135m`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from pathlib import Path

from benchmarks.harness.benchmark import Benchmark, Measurement, Unfinished
from benchmarks.harness.record import Record, Row, text
from benchmarks.harness.settings import option
from benchmarks.real_model.benchmark import OF_A_RUN, readings_of_run
from benchmarks.real_model.tables import table_of_runs, table_over_seeds
from benchmarks.sweeps.core_hours import PLAN, Timed, sum_of, table_of_sum
from benchmarks.sweeps.runs import FIELDS, SweepSettings, runs_below, sweep_one_seed
from benchmarks.sweeps.sweep import Sweep, last_of_each
from benchmarks.sweeps.verdicts import comparisons

SEEDS = (1000, 1001, 1002)
SWEEPS = (
    Sweep("groups of eight", "second_edition_real", 6, 60, seeds=SEEDS),
    Sweep("one response", "second_edition_real_one_response", 6, 60, seeds=SEEDS),
)
REFERENCES = ("tvo", "tvo_2025")  # every row is compared with each of them
TIMED = {"second_edition_real": "tvo_2025", "second_edition_real_one_response": "tvo"}
TABLES = {
    "plan": PLAN,
    "runs": {"sweep": text("which two rows")} | FIELDS | OF_A_RUN,
}


class Chosen(SweepSettings):
    """What can be chosen."""

    plan_only: bool = option(False, "print the sum and stop", of_start=True)
    folder: Path = option(Path("outputs/second_edition_real"), "where the runs lie", of_start=True)


QUICK = {
    "overrides": ("model=tiny", "dataset=addition", "trainer.steps=1", "evaluation.problems=4"),
    "folder": Path("outputs/second_edition_real_quick"),
}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """The sum; then all four rows at one seed before the next begins."""
    yield Measurement("plan", {}, partial(sum_of, SWEEPS, partial(_timed, settings)))
    if settings.plan_only:
        raise Unfinished("the plan alone was asked for; without --plan-only the sweeps begin")
    for seed, sweep in product(SEEDS, SWEEPS):
        yield Measurement("runs", {"sweep": sweep.name, "seed": seed}, partial(_swept, settings, sweep, seed))


def _timed(settings: Chosen, sweep: Sweep) -> Timed:
    """A run of the sweep's own row of TVO: one response a prompt has no prompts to share."""
    return Timed(_words(sweep.preset, (f"algorithm={TIMED[sweep.preset]}", *settings.overrides)), 2)


def _words(preset: str, given: tuple[str, ...]) -> tuple[str, ...]:
    return (f"experiment={preset}", *last_of_each(("trainer.threads=1", *given)))


def _swept(settings: Chosen, sweep: Sweep, seed: int) -> list[Row]:
    """Run both rows of a sweep at a seed, or what is left of them; a row a run."""
    folder = settings.folder / sweep.preset / str(seed)
    words = _words(sweep.preset, (*settings.overrides, f"seed={seed}", f"output_dir={folder}"))
    sweep_one_seed(words, settings.program, f"{sweep.name}, seed {seed}")
    return runs_below(folder, more=readings_of_run)


def table(record: Record) -> str:
    """The sum, a line a run, each row over its seeds, and the rows against each other, paired by seed."""
    runs = record.rows("runs")
    parts = [table_of_sum(record.rows("plan"))]
    parts += [table_of_runs(runs), table_over_seeds(runs)] if runs else []
    seeds = {run["seed"] for run in runs}
    return "\n\n".join([*parts, *comparisons(runs, REFERENCES)] if len(seeds) > 1 else parts)


BENCHMARK = Benchmark(
    Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table, seeds=SEEDS, any_machine=True
)

if __name__ == "__main__":
    BENCHMARK.main()

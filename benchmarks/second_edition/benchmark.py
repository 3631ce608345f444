"""The comparison of docs/decisions/second-edition-plan.md: its sum of core hours first, then its sweeps.

    python -m benchmarks.second_edition --plan-only      the sum, from batches timed on this machine; a minute
    python -m benchmarks.second_edition                  the sweeps; resumable, at most 20 core hours

Every sweep is `tvo train -m experiment=second_edition…`, a seed at a time, so a run that is there is not made again.
A finished seed is in the record, which is all that another machine needs to go on (--resume). Rows and rates of
the later sweeps follow from the earlier ones by rules that the plan fixes (benchmarks.sweeps.choice).
Every run that took updates back is made once more, to read the refused policy and the one that came back on 1,024
fresh rollouts each. A rehearsal in few minutes, no number of which is to be quoted:

    python -m benchmarks.second_edition --overrides seed=0 trainer.steps=3 optimizer.lr=3e-3 \\
        algorithm=tvo_2025,grpo_overdamped --leading 1 --long 1 --folder /tmp/rehearsal --out /tmp/rehearsal.json
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product

from benchmarks import refusals
from benchmarks.harness import markdown
from benchmarks.harness.benchmark import Benchmark, Measurement, Unfinished
from benchmarks.harness.collection import say
from benchmarks.harness.record import Record, Row, flag, group, number, numbers, text
from benchmarks.second_edition.claims import figures
from benchmarks.second_edition.plan import (
    EVERYBODYS,
    FIRST,
    QUICK,
    TASKS,
    Chosen,
    folder_of,
    plan,
    runs_of_plan,
    seeds_of,
    words_of,
)
from benchmarks.sweeps.choice import best_rate, leading_rows
from benchmarks.sweeps.core_hours import PLAN, sum_of, table_of_sum
from benchmarks.sweeps.runs import FIELDS, cells_of_runs, refusals_of, runs_below, sweep_one_seed
from benchmarks.sweeps.sweep import FRESH, Sweep, last_of_each, later
from benchmarks.sweeps.verdicts import verdicts

KEY = ("sweep", "row", "lr")  # of a line of the table
TABLES = {
    "plan": PLAN,
    "runs": {"sweep": text("which part of the comparison")}
    | FIELDS
    | {
        "refusals": numbers("each refusal: the step whose update was taken back", "1"),
        "lost": number("batches without a trace in the policy", "1"),
    },
    "refusals": {
        "sweep": text("which part of the comparison"),
        "row": text("algorithm, and the overrides that make a row of it"),
        "lr": number("learning rate", "1"),
        "seed": number("of the run", "1"),
        "same": flag("whether the run, made once more, refused the same steps"),
        "before": numbers("each refusal: accuracy of the policy that came back, fresh", "share"),
        "after": numbers("each refusal: accuracy of the policy that was refused, fresh", "share"),
        "z": numbers("each refusal: the fall between the two, fresh", "standard errors"),
    },
}


def measure(settings: Chosen, record: Record) -> Iterator[Measurement]:
    """The sum, the sweeps on arithmetic, then those that follow from them."""
    yield Measurement("plan", {}, partial(sum_of, plan(settings)))
    if settings.plan_only:
        raise Unfinished("the plan alone was asked for; without --plan-only the sweeps begin")
    for sweep in FIRST:
        yield from _measured(settings, record, sweep)
    found = [run for sweep in FIRST for run in _runs_of(record, sweep)]
    leaders = leading_rows(found, settings.leading)
    say(f"rows that lead on arithmetic: {'; '.join(leaders)}")
    for task, row in product(TASKS, leaders):
        yield from _on_another_task(settings, record, task, row)
    for row in leaders[: settings.long]:
        rate = (f"optimizer.lr={best_rate(found, row):g}",)
        long = later(f"120 batches: {row}", "second_edition_long", row, 5, 120, rate, FRESH[:5])
        yield from _measured(settings, record, long)


def _on_another_task(settings: Chosen, record: Record, task: str, row: str) -> Iterator[Measurement]:
    """Four rates on seeds 100 and 101; then the row's own of them and 1e-3 on the fresh seeds."""
    preset, batches = f"second_edition_{task}", TASKS[task]
    choice = later(f"choice of rates, {task}: {row}", preset, row, 8, batches, seeds=(100, 101))
    yield from _measured(settings, record, choice)
    own = best_rate(_runs_of(record, choice), row)
    rates = ",".join(f"{rate:g}" for rate in dict.fromkeys((own, EVERYBODYS)))
    yield from _measured(
        settings, record, later(f"{task}: {row}", preset, row, 20, batches, (f"optimizer.lr={rates}",))
    )


def _measured(settings: Chosen, record: Record, sweep: Sweep) -> Iterator[Measurement]:
    """A sweep, seed by seed; then each of the seed's runs that took updates back, once more with fresh readings."""
    for seed in seeds_of(settings, sweep):
        yield Measurement("runs", {"sweep": sweep.name, "seed": seed}, partial(_swept, settings, sweep, seed))
        for run in _runs_of(record, sweep):
            if run["seed"] == seed and run["refusals"]:
                key = {"sweep": sweep.name} | {name: run[name] for name in ("row", "lr", "seed")}
                yield Measurement("refusals", key, partial(_read_again, settings, sweep, run))


def _runs_of(record: Record, sweep: Sweep) -> list[Row]:
    return [row for row in record.rows("runs") if row["sweep"] == sweep.name]


def _swept(settings: Chosen, sweep: Sweep, seed: int) -> list[Row]:
    """Run one seed of a sweep, or what is left of it; the readings of every run."""
    sweep_one_seed(words_of(settings, sweep, seed), settings.program, f"{sweep.name}, seed {seed}")
    return runs_below(folder_of(settings, sweep, seed), sweep.shape, refusals_of)


def _read_again(settings: Chosen, sweep: Sweep, run: Row) -> Row:
    """The fresh readings of a run's refusals, and whether they are those of the sweep."""
    algorithm, _, shape = run["row"].partition(" ")
    of_run = (f"algorithm={algorithm}", *shape.split(), f"optimizer.lr={run['lr']:g}", f"seed={run['seed']}")
    own = [word for word in settings.overrides if not word.startswith("hydra")]  # those are of a sweep
    words = (f"experiment={sweep.preset}", *last_of_each((*own, *of_run)))
    found = refusals.read_refusals_again(words, settings.rollouts)
    same = found["steps"] == run["refusals"]
    return {"same": same} | {name: found[name] for name in ("before", "after", "z")}


def planned_runs(record: Record) -> int:
    """The runs of the plan; of an ended record its own: a row whose own rate is 1e-3 has one run a seed, not two."""
    return len(record.rows("runs")) if record.ended else sum(sweep.jobs for sweep in runs_of_plan(Chosen()))


def table(record: Record) -> str:
    """The sum, and each row at each rate: mean final accuracy with its 95% t interval, area, collapses and falls.

    Where updates were refused: refusals a run, how many of them the fresh readings confirm, batches lost. Then what
    the runs on arithmetic decide between rows, and the figures that docs/results/claims.md takes from here.
    """
    sums = table_of_sum(record.rows("plan"))
    again = group(record.rows("refusals"), *KEY)
    rows = [_line(key, found, again.get(key, [])) for key, found in group(record.rows("runs"), *KEY).items()]
    head = ["sweep", "row", "rate", "final [95%]", "area", "entropy", "neutral", "collapsed", "falls"]
    head += ["refusals a run", "confirmed", "batches lost"]
    first = [run for sweep in FIRST for run in _runs_of(record, sweep)]
    parts = [sums, markdown.table(head, rows) if rows else "", verdicts(first) if first else ""]
    parts.append(figures(record.rows("runs"), planned_runs(record)) if first else "")
    return "\n\n".join(filter(None, parts))


def _line(key: tuple[str, ...], rows: list[Row], again: list[Row]) -> list[str]:
    return [*map(str, key), *cells_of_runs(rows, ("area", "entropy", "neutral")), *_of_rule(rows, again)]


def _of_rule(rows: list[Row], again: list[Row]) -> list[str]:
    """Refusals a run, the confirmed of those that were read again, batches lost of all; runs that differed are said."""
    count = sum(len(row["refusals"]) for row in rows)
    read = [row for row in again if row["same"]]
    confirmed = f"{sum(map(refusals.confirmed, read))} of {sum(len(row['z']) for row in read)}"
    others = len(again) - len(read)
    told = confirmed + (f"; {others} runs refused other steps when made once more" if others else "")
    batches = str(sum(row["lost"] for row in rows))
    return [f"{count / len(rows):.2f}", told, batches] if count else ["0", "", batches]


BENCHMARK = Benchmark(
    "second_edition",
    __doc__,
    Chosen,
    QUICK,
    TABLES,
    measure,
    table,
    seeds=FRESH,
    of_record=True,
    any_machine=True,
)

"""The comparison of docs/decisions/second-edition-plan.md: its sum of core hours first, then its sweeps.

    python -m benchmarks.second_edition --plan-only      the sum, from batches timed on this machine; a minute
    python -m benchmarks.second_edition                  the sweeps; resumable, at most 20 core hours

Every sweep is `tvo train -m experiment=second_edition…`, so a run that is there is not made again. Rows and rates of
the later sweeps follow from the earlier ones by rules that the plan fixes (benchmarks.second_edition_choice).
Every run that took updates back is made once more, to read the refused policy and the one that came back on 1,024
fresh rollouts each. A rehearsal in few minutes, no number of which is to be quoted:

    python -m benchmarks.second_edition --overrides seed=0 trainer.steps=3 optimizer.lr=3e-3 \\
        algorithm=tvo_2025,grpo_overdamped --leading 1 --long 1 --folder /tmp/rehearsal --out /tmp/rehearsal.json
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from functools import cache, partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from pydantic import model_validator

from benchmarks import refusals
from benchmarks.harness import markdown
from benchmarks.harness.benchmark import Benchmark, Measurement, Unfinished
from benchmarks.harness.child_process import ROOT, wait_for
from benchmarks.harness.collection import say
from benchmarks.harness.record import Record, Row, flag, group, number, numbers, text
from benchmarks.harness.settings import Settings, option
from benchmarks.second_edition_choice import best_rate, leading_rows, runs_below
from tvo_cli.stats import mean_interval

KEY = ("sweep", "row", "lr")  # of a line of the table
MOST = 20.0  # core hours
TIMED = 4  # batches of the longer of two timed runs; the other has one
QUIET = ("trainer.threads=1", "logger=none", "logger.console=off", "trainer.checkpoint_every=0")
TABLES = {
    "plan": {
        "sweep": text("which part of the comparison"),
        "jobs": number("runs", "1"),
        "hours": number("of one core, from batches timed here", "core hours"),
    },
    "runs": {
        "sweep": text("which part of the comparison"),
        "row": text("algorithm, and the overrides that make a row of it"),
        "lr": number("learning rate", "1"),
        "seed": number("of the run", "1"),
        "final": number("pass@1 at the end", "share of problems solved"),
        "area": number("mean accuracy of the fresh rollouts", "share of rollouts"),
        "entropy": number("of a token at the last step", "nats"),
        "neutral": number("of the neutral words at the last step", "nats"),
        "collapsed": flag("final below half of its own peak, or entropy under a tenth of the start"),
        "falls": number("batches whose accuracy is over four standard errors below that of the batch before", "1"),
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


class Sweep(NamedTuple):
    """A part of the comparison: its preset and what is given besides."""

    name: str
    preset: str
    jobs: int
    batches: int  # of a run
    shape: str = ""  # overrides that its rows have besides their algorithm
    words: tuple[str, ...] = ()


class Chosen(Settings):
    """What can be chosen."""

    plan_only: bool = option(False, "print the sum and stop", of_start=True)
    folder: Path = option(Path("outputs/second-edition"), "where the sweeps lie")
    leading: int = option(6, "rows that go on to the other tasks", gt=0)
    long: int = option(4, "of them, rows that go on to 120 batches", gt=0)
    overrides: tuple[str, ...] = option((), "for every run, to rehearse; what a later sweep sets itself comes after")
    rollouts: int = option(1024, "of a fresh reading of a refusal", ge=8)
    program: tuple[str, ...] = option((), "words before every tvo, such as nice -n 10", of_start=True)

    @model_validator(mode="after")
    def _keep_rehearsals_apart(self) -> Chosen:
        if self.overrides and "folder" not in self.model_fields_set:
            raise ValueError("with --overrides give another --folder too: its runs are not those of the comparison")
        return self


QUICK = {"plan_only": True, "leading": 1, "long": 1}


FIRST = (  # on arithmetic: every row at four rates and ten seeds
    Sweep("arithmetic", "second_edition", 720, 30),
    Sweep("four passes", "second_edition_four_passes", 160, 30, "rollout.epochs=4 rollout.minibatches=4"),
    Sweep("groups of eight", "second_edition_groups", 40, 30, "rollout.prompts=16 rollout.samples=8"),
    Sweep("refused updates", "second_edition_refuse", 160, 30, "stability.refuse=4"),
)
TASKS = {"addition": 30, "sparse": 60}  # batches
READ = 16  # batches as many rollouts as a refusal's two fresh readings have: the sum counts one refusal a run
EVERYBODYS = 1e-3  # the rate at which the other tasks have every row, besides its own


def measure(settings: Chosen) -> Iterator[Measurement]:
    """The sum, the sweeps on arithmetic, then those that follow from them."""
    yield Measurement("plan", {}, partial(_sum, _plan(settings)))
    if settings.plan_only:
        raise Unfinished("the plan alone was asked for; without --plan-only the sweeps begin")
    for sweep in FIRST:
        yield from _measured(settings, sweep)
    found = [row for sweep in FIRST for row in runs_below(_folder(settings, sweep), sweep.shape)]
    leaders = leading_rows(found, settings.leading)
    say(f"rows that lead on arithmetic: {'; '.join(leaders)}")
    for task, row in product(TASKS, leaders):
        yield from _on_another_task(settings, task, row)
    for row in leaders[: settings.long]:
        rate = (f"optimizer.lr={best_rate(found, row):g}",)
        yield from _measured(settings, _later(f"120 batches: {row}", "second_edition_long", row, 5, 120, rate))


def _on_another_task(settings: Chosen, task: str, row: str) -> Iterator[Measurement]:
    """Four rates on seeds 100 and 101; then the row's own of them and 1e-3 on the fresh seeds."""
    preset, batches = f"second_edition_{task}", TASKS[task]
    choice = _later(f"choice of rates, {task}: {row}", preset, row, 8, batches, ("seed=100,101",))
    yield from _measured(settings, choice)
    own = best_rate(runs_below(_folder(settings, choice), choice.shape), row)
    rates = ",".join(f"{rate:g}" for rate in dict.fromkeys((own, EVERYBODYS)))
    yield from _measured(settings, _later(f"{task}: {row}", preset, row, 20, batches, (f"optimizer.lr={rates}",)))


def _later(name: str, preset: str, row: str, jobs: int, batches: int, words: tuple[str, ...]) -> Sweep:
    """A sweep of one row: an algorithm and the overrides behind its name."""
    algorithm, _, shape = row.partition(" ")
    return Sweep(name, preset, jobs, batches, shape, (f"algorithm={algorithm}", *shape.split(), *words))


def _measured(settings: Chosen, sweep: Sweep) -> Iterator[Measurement]:
    """A sweep; then each of its runs that took updates back, once more with fresh readings."""
    yield Measurement("runs", {"sweep": sweep.name}, partial(_swept, settings, sweep))
    for run in runs_below(_folder(settings, sweep), sweep.shape):
        if run["refusals"]:
            key = {"sweep": sweep.name} | {name: run[name] for name in ("row", "lr", "seed")}
            yield Measurement("refusals", key, partial(_read_again, settings, sweep, run))


def _plan(settings: Chosen) -> list[Sweep]:
    """What the sum counts: which rows the later sweeps have is not known yet, so each may have the rule."""
    sizes = {task: (settings.leading * 8, settings.leading * 20, batches) for task, batches in TASKS.items()}
    later = [Sweep(f"choice of rates, {task}", "", choice, batches) for task, (choice, _, batches) in sizes.items()]
    later += [Sweep(task, "", jobs, batches) for task, (_, jobs, batches) in sizes.items()]
    later.append(Sweep("120 batches", "", settings.long * 5, 120))
    again = [Sweep(f"{one.name}: refusals read again", "", one.jobs, one.batches + READ) for one in (FIRST[-1], *later)]
    return [*FIRST, *later, *again]


def _folder(settings: Chosen, sweep: Sweep) -> Path:
    """A sweep's folder: its preset's name, or its own where the preset serves several."""
    return settings.folder / (re.sub(r"[^\w.]+", "-", sweep.name) if sweep.words else sweep.preset)


def _swept(settings: Chosen, sweep: Sweep) -> list[Row]:
    """Run `tvo train -m`, or what is left of it; the readings of every run."""
    words = words_of(settings, sweep)
    code = wait_for([*settings.program, sys.executable, "-m", "tvo_cli", "train", *words])
    if code:
        say(f"{sweep.name}: ended with {code}; the same command goes on")
        raise SystemExit(code)
    return runs_below(_folder(settings, sweep), sweep.shape)


def words_of(settings: Chosen, sweep: Sweep) -> list[str]:
    """What follows `tvo train` for a sweep: the preset, overrides for every run, its own, its folder."""
    given = _overrides((*settings.overrides, *sweep.words))
    return ["-m", f"experiment={sweep.preset}", *given, f"output_dir={_folder(settings, sweep)}"]


def _overrides(words: Iterable[str]) -> list[str]:
    """Each key once: the last one counts."""
    return [f"{key}={value}" for key, value in dict(word.split("=", 1) for word in words).items()]


def _read_again(settings: Chosen, sweep: Sweep, run: Row) -> Row:
    """The fresh readings of a run's refusals, and whether they are those of the sweep."""
    algorithm, _, shape = run["row"].partition(" ")
    of_run = (f"algorithm={algorithm}", *shape.split(), f"optimizer.lr={run['lr']:g}", f"seed={run['seed']}")
    own = [word for word in settings.overrides if not word.startswith("hydra")]  # those are of a sweep
    words = (f"experiment={sweep.preset}", *_overrides((*own, *of_run)))
    found = refusals.read_refusals_again(words, settings.rollouts)
    same = found["steps"] == run["refusals"]
    return {"same": same} | {name: found[name] for name in ("before", "after", "z")}


def _sum(plan: list[Sweep]) -> list[Row]:
    """A row a sweep, said before the first of them begins."""
    rows = [{"sweep": sweep.name, "jobs": sweep.jobs, "hours": _hours(sweep)} for sweep in plan]
    say(_sums(rows))
    return rows


def _hours(sweep: Sweep) -> float:
    """Jobs × (a run of one batch, its evaluations included + the other batches), each of 16 updates: at most."""
    first, further = _seconds()
    return sweep.jobs * (first + (sweep.batches - 1) * further) / 3600


@cache
def _seconds() -> tuple[float, float]:
    """Processor seconds of a job of one batch and of each further batch, after a run that warms up."""
    before = _processor_seconds_of_children()
    subprocess.run([sys.executable, "-c", "import tvo_cli.experiment"], cwd=ROOT, check=True)
    start = _processor_seconds_of_children() - before
    _, short, long = (_processor_seconds(steps) for steps in (1, 1, TIMED))
    further = (long - short) / (TIMED - 1)
    say(f"processor seconds: {start:.2f} to start, {short:.2f} a run of one batch, {further:.2f} a further batch")
    return start + short, further


def _processor_seconds_of_children() -> float:
    used = os.times()
    return used.children_user + used.children_system


def _processor_seconds(steps: int) -> float:
    from tvo_cli import config
    from tvo_cli.experiment import train

    with TemporaryDirectory() as place:
        chosen = config.compose(["algorithm=tvo_2025", *QUIET, f"trainer.steps={steps}", f"output_dir={place}/run"])
        begun = time.process_time()
        train(chosen)
        return time.process_time() - begun


def table(record: Record) -> str:
    """The sum, and each row at each rate: mean final accuracy with its 95% t interval, area, collapses and falls.

    Where updates were refused: refusals a run, how many of them the fresh readings confirm, batches lost.
    """
    sums = _sums(record.rows("plan"))
    again = group(record.rows("refusals"), *KEY)
    rows = [_line(key, found, again.get(key, [])) for key, found in group(record.rows("runs"), *KEY).items()]
    head = ["sweep", "row", "rate", "final [95%]", "area", "entropy", "neutral", "collapsed", "falls"]
    head += ["refusals a run", "confirmed", "batches lost"]
    return f"{sums}\n\n{markdown.table(head, rows)}" if rows else sums


def _sums(plan: list[Row]) -> str:
    total = sum(row["hours"] for row in plan)
    lines = [[row["sweep"], row["jobs"], f"{row['hours']:.2f}"] for row in plan]
    verdict = f"**{total:.1f} core hours**" + ("" if total <= MOST else f", more than the {MOST:.0f} that are allowed")
    return markdown.table(["sweep", "jobs", "core hours"], [*lines, ["all", sum(row["jobs"] for row in plan), verdict]])


def _line(key: tuple[str, ...], rows: list[Row], again: list[Row]) -> list[str]:
    final = mean_interval([row["final"] for row in rows])
    means = [f"{sum(row[name] for row in rows) / len(rows):.3f}" for name in ("area", "entropy", "neutral")]
    collapsed = f"{sum(row['collapsed'] for row in rows)} of {len(rows)}"
    falls = str(sum(row["falls"] for row in rows))
    line = [*map(str, key), f"{final.mean:.3f} [{final.low:.3f}, {final.high:.3f}]", *means, collapsed, falls]
    return [*line, *_of_rule(rows, again)]


def _of_rule(rows: list[Row], again: list[Row]) -> list[str]:
    """Refusals a run, the confirmed of those that were read again, batches lost of all; runs that differed are said."""
    count = sum(len(row["refusals"]) for row in rows)
    read = [row for row in again if row["same"]]
    confirmed = f"{sum(map(refusals.confirmed, read))} of {sum(len(row['z']) for row in read)}"
    others = len(again) - len(read)
    told = confirmed + (f"; {others} runs refused other steps when made once more" if others else "")
    batches = str(sum(row["lost"] for row in rows))
    return [f"{count / len(rows):.2f}", told, batches] if count else ["0", "", batches]


BENCHMARK = Benchmark(Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table, seeds=(1000,))

if __name__ == "__main__":
    BENCHMARK.main()

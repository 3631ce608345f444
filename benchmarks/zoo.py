"""Every recipe of the project at its own epochs and batch shape: four rates and five seeds on the embedded task.

    python -m benchmarks.zoo                               the embedded task, a seed at a time
    python -m benchmarks.zoo --after RECORD --out FILE     of that record the six best recipes, on a pretrained model

Sweeps are `tvo train -m experiment=zoo_small` and `zoo_real`, so a run that is there is not made again. A finished
seed is in the record, which is all that another machine needs to go on (--resume). A recipe that breaks is a row like
any other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

from benchmarks.harness import markdown
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.collection import say
from benchmarks.harness.record import Record, Row, group, number, read, text
from benchmarks.harness.settings import Settings, option
from benchmarks.second_edition_choice import best_rate, leading_rows
from benchmarks.second_edition_verdicts import at_own_rate, differences
from benchmarks.sweep_runs import FIELDS, runs_below, sweep_one_seed
from tvo_cli.stats import mean_interval, wilson_interval
from tvo_cli.stats.sample_efficiency import first_threshold_crossing

THRESHOLD = 0.8  # accuracy of fresh rollouts; the embedded task begins at 0.44
SMALL, REAL = "zoo_small", "zoo_real"
SEEDS = {SMALL: (0, 1, 2, 3, 4), REAL: (0, 1, 2)}
REFERENCE = "tvo"
TABLES = {
    "runs": {"sweep": text("preset")}
    | FIELDS
    | {
        "noise": number("median of gradient/normalised_variance while it learns (below the threshold)", "1"),
        "rollouts": number("until fresh accuracy first reached the threshold; null: never", "responses"),
        "seconds": number("of a batch, the median", "s"),
    }
}


class Chosen(Settings):
    """What can be chosen."""

    after: Path | None = option(None, "a finished record of the embedded task: its best go on to the pretrained model")
    folder: Path = option(Path("outputs/zoo"), "where the sweeps lie")
    leading: int = option(6, "recipes that go on to the pretrained model", gt=0)
    overrides: tuple[str, ...] = option((), "for every run, to rehearse: give another --folder too")
    program: tuple[str, ...] = option((), "words before every tvo, such as nice -n 10", of_start=True)


HEAD = ["recipe", "own best rate", "final there [95%]", "entropy", "noise", "rollouts to threshold", "s a batch"]
HEAD += ["lowest mean of a rate", "collapsed [95%]"]
QUICK = {"leading": 1, "overrides": ("algorithm=grpo", "optimizer.lr=1e-3", "trainer.steps=1", "evaluation.problems=8")}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """The embedded task, or the pretrained model, seed by seed."""
    preset, words = (SMALL, ()) if settings.after is None else (REAL, _leaders(settings.after, settings.leading))
    for seed in SEEDS[preset]:
        yield Measurement("runs", {"sweep": preset, "seed": seed}, partial(_swept, settings, preset, words, seed))


def _leaders(path: Path, count: int) -> tuple[str, ...]:
    """The recipes of the highest mean final accuracy at their own best rates, as an override."""
    record = read(path)
    if record.ended is None:
        raise SystemExit(f"{path} is unfinished: its best recipes are not known yet")
    leaders = leading_rows(record.rows("runs"), count)
    say(f"recipes that lead on the embedded task: {', '.join(leaders)}")
    return (f"algorithm={','.join(leaders)}",)


def _swept(settings: Chosen, preset: str, words: Sequence[str], seed: int) -> list[Row]:
    """Run one seed of a preset, or what is left of it; a row a run."""
    folder = settings.folder / preset / str(seed)
    given = [f"experiment={preset}", *settings.overrides, *words, f"seed={seed}", f"output_dir={folder}"]
    sweep_one_seed(given, settings.program, f"{preset}, seed {seed}")
    return runs_below(folder, more=readings_of_zoo)


def readings_of_zoo(_: Path, steps: list[dict[str, Any]]) -> Row:
    """What the gradient's noise was while the run learnt, when it got there, and what a batch took."""
    learning = [step for step in steps if step["accuracy/fresh"] < THRESHOLD and step.get("gradient/signal_resolved")]
    noise = [step["gradient/normalised_variance"] for step in learning]
    accuracy = [step["accuracy/fresh"] for step in steps]
    reached = first_threshold_crossing([step["rollouts"] for step in steps], accuracy, THRESHOLD)
    return {
        "noise": median(noise) if noise else None,
        "rollouts": reached.x if reached.observed else None,
        "seconds": median(step["time/step"] for step in steps),
    }


def table(record: Record) -> str:
    """For each preset its recipes at their own best rates, the best first, each less TVO by seed (Holm)."""
    parts = [f"### {preset}\n\n{_recipes(found)}" for (preset,), found in group(record.rows("runs"), "sweep").items()]
    return "\n\n".join(parts) or "no seed is finished"


def _recipes(runs: Sequence[Row]) -> str:
    by_row = {row: found for (row,), found in group(runs, "row").items()}
    own = {row: at_own_rate(found) for row, found in by_row.items()}
    against = differences(own, REFERENCE) if REFERENCE in own else {}
    ranked = sorted(own, key=lambda row: (-fmean(own[row].values()), row))
    lines = [[row, *_cells(by_row[row], list(own[row].values())), *_above(against.get(row))] for row in ranked]
    return markdown.table([*HEAD, f"less {REFERENCE} [95%]", "p, Holm"], lines)


def _cells(runs: Sequence[Row], finals: Sequence[float]) -> list[str]:
    """At the own best rate, then over all rates."""
    rate = best_rate(runs, runs[0]["row"])
    here = [run for run in runs if run["lr"] == rate]
    found, count = mean_interval(finals), sum(run["collapsed"] for run in runs)
    lowest = min(fmean(run["final"] for run in at) for at in group(runs, "lr").values())
    bound = wilson_interval(count, len(runs))
    return [
        f"{rate:g}",
        f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]",
        f"{fmean(run['entropy'] for run in here):.3f}",
        _median([run["noise"] for run in here], ".2f"),
        _reached([run["rollouts"] for run in here]),
        f"{fmean(run['seconds'] for run in here):.2f}",
        f"{lowest:.3f}",
        f"{count} of {len(runs)} [{bound.low:.3f}, {bound.high:.3f}]",
    ]


def _median(values: Sequence[float | None], form: str) -> str:
    known = [value for value in values if value is not None]
    return format(median(known), form) if known else "–"


def _reached(values: Sequence[float | None]) -> str:
    """Median over all seeds, one that never got there counting as later than any; and how many got there."""
    middle = median(math.inf if value is None else value for value in values)
    reached = sum(value is not None for value in values)
    return f"{middle:.0f} ({reached} of {len(values)})".replace("inf", "never")


def _above(found: Any) -> list[str]:
    if found is None:
        return ["", ""]
    one, p = found
    return [f"{one.difference:+.3f} [{one.low:+.3f}, {one.high:+.3f}]", f"{p:.3g}"]


BENCHMARK = Benchmark(
    Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table, SEEDS[SMALL], any_machine=True
)

if __name__ == "__main__":
    BENCHMARK.main()

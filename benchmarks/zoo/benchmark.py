"""Every recipe of the project at its own epochs and batch shape: four rates and five seeds on the embedded task.

    python -m benchmarks.zoo                               the embedded task: 1,440 runs, a seed and rate at a time
    python -m benchmarks.zoo --after RECORD --out FILE     of that record the six best recipes, on a pretrained model

Sweeps are `tvo train -m experiment=zoo_small` and `zoo_real`, so a run that is there is not made again. What is
finished of a seed and rate, of all recipes, is in the record, which is all that another machine needs to go on
(--resume); a whole seed comes before the next one, on the pretrained model the recipes of one batch before those of
the next. A run that ends with an error is a row too. A batch there has 32 responses, cut and used as the recipe's own
is. A rehearsal in a minute, no number of which is to be quoted:

    python -m benchmarks.zoo --seeds 0 --rates 2e-4 1e-3 --overrides algorithm=tvo,grpo trainer.steps=3 \\
        --folder /tmp/rehearsal --out /tmp/rehearsal.json
"""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.child_process import wait_for
from benchmarks.harness.collection import say
from benchmarks.harness.record import Record, Row, number, read, text
from benchmarks.harness.settings import option
from benchmarks.sweeps.choice import leading_rows
from benchmarks.sweeps.runs import FIELDS, SweepSettings, command_of_sweep, runs_below
from benchmarks.sweeps.sweep import last_of_each
from benchmarks.zoo.figure import draw
from benchmarks.zoo.tables import counted, tables
from tvo_cli import config
from tvo_cli.comparison.analysis.metric_choice import WINDOW
from tvo_cli.comparison.analysis.run_values import running_means
from tvo_cli.stats.sample_efficiency import first_threshold_crossing
from tvo_cli.tracking.terminal.console_numbers import format_duration

THRESHOLD = 0.8  # accuracy of fresh rollouts; the embedded task begins at 0.44
SMALL, REAL = "zoo_small", "zoo_real"
SEEDS = (2000, 2001, 2002, 2003, 2004)  # those of the preset; no constant was chosen or judged on them
RATES = (5e-5, 2e-4, 1e-3, 3e-3)  # those of the preset
REAL_SEEDS, REAL_RATE = (0, 1, 2), 3e-5  # one rate, chosen beforehand: that of the earlier study
REAL_RESPONSES = 32  # of a batch there, as in the earlier study
AS_RECIPE: Mapping[str, tuple[str, ...]] = {"": ()}  # a sweep of one folder, in which each recipe brings its own batch
BROKEN = 0.1  # share of a sweep's runs, at least one, that may end with an error; more are the machine's fault, or ours
TABLES = {
    "runs": {"sweep": text("preset")}
    | FIELDS
    | {
        "kept": number("entropy of a token, mean of the last five batches over the first", "share"),
        "noise": number("median of gradient/normalised_variance while it learns (below the threshold)", "1"),
        "rollouts": number("until the running mean of fresh accuracy first reached the threshold; null: never", "1"),
        "sampled": number("responses in all", "1"),
        "seconds": number("of a batch, the median", "s"),
        "broke": text("the error that ended the run; empty: none. Such a run has no readings and counts as accuracy 0"),
    }
}


class Chosen(SweepSettings):
    """What can be chosen."""

    after: Path | None = option(None, "a finished record of the embedded task: its best go on to the pretrained model")
    seeds: tuple[int, ...] = option(SEEDS, "of the embedded task")
    rates: tuple[float, ...] = option(RATES, "learning rates of the embedded task")
    folder: Path = option(Path("outputs/zoo"), "where the sweeps lie", of_start=True)
    leading: int = option(6, "recipes that go on to the pretrained model", gt=0)


QUICK = {
    "seeds": (0,),
    "rates": (1e-3,),
    "leading": 1,
    "folder": Path("outputs/benchmarks/quick/zoo"),
    "overrides": ("algorithm=grpo", "trainer.steps=1", "evaluation.problems=8"),
}


def measure(settings: Chosen, record: Record) -> Iterator[Measurement]:
    """What the record lacks of the embedded task, or of the pretrained model; before each sweep, what is left."""
    found = _on_embedded_task(settings) if settings.after is None else _on_pretrained_model(settings)
    pending, begun = [one for one in found if not one.is_in(record)], time.monotonic()
    for done, one in enumerate(pending):
        say(f"{len(pending) - done} sweeps to go{_remaining(time.monotonic() - begun, done, len(pending))}")
        yield one


def _remaining(seconds: float, done: int, count: int) -> str:
    """From the mean of the sweeps that this start has finished."""
    return f", about {format_duration(seconds / done * (count - done))}" if done else ""


def _on_embedded_task(settings: Chosen) -> Iterator[Measurement]:
    """All recipes at all rates with a seed, the largest first, where something breaks; then with the next seed."""
    for seed in settings.seeds:
        for rate in sorted(settings.rates, reverse=True):
            yield _sweep(settings, {"sweep": SMALL, "seed": seed, "lr": rate}, AS_RECIPE)


def _on_pretrained_model(settings: Chosen) -> Iterator[Measurement]:
    """The recipes that lead on the embedded task, those of a batch at a time: an hour of them is kept at once."""
    assert settings.after is not None
    sweeps = sweeps_by_batch(_leaders(settings.after, settings.leading))
    for seed in REAL_SEEDS:
        for name, (recipes, *words) in sweeps.items():
            key = {"sweep": REAL, "seed": seed, "lr": REAL_RATE, "row": recipes.partition("=")[2].split(",")[0]}
            yield _sweep(settings, key, {name: (recipes, *words)})


def _leaders(path: Path, count: int) -> list[str]:
    """The recipes of the highest mean final accuracy at their own best rates, by the second edition's rule."""
    record = read(path)
    if record.ended is None:
        raise SystemExit(f"{path} is unfinished: its best recipes are not known yet")
    leaders = leading_rows(counted(record.rows("runs")), count)
    say(f"recipes that lead on the embedded task: {', '.join(leaders)}")
    return leaders


def sweeps_by_batch(recipes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """For the pretrained model, whose preset says one batch for all: a sweep for the recipes that share one, by folder.

    As many responses a prompt, passes and minibatches as the recipe's own, in a batch of 32 responses; the minibatches
    are fewer where there are fewer prompts.
    """
    alike = defaultdict[str, list[str]](list)
    for name in recipes:
        own = config.compose([f"algorithm={name}", "logger=none"]).rollout
        samples = min(int(own.samples), REAL_RESPONSES)
        prompts = REAL_RESPONSES // samples
        sizes = {"prompts": prompts, "samples": samples, "epochs": int(own.epochs)}
        sizes["minibatches"] = math.gcd(int(own.minibatches), prompts)
        alike[" ".join(f"rollout.{key}={value}" for key, value in sizes.items())].append(name)
    return {
        "x".join(word.partition("=")[2] for word in words.split()): (f"algorithm={','.join(names)}", *words.split())
        for words, names in alike.items()
    }


def _sweep(settings: Chosen, key: Row, sweeps: Mapping[str, Sequence[str]]) -> Measurement:
    return Measurement("runs", key, partial(_swept, settings, key, sweeps))


def _swept(settings: Chosen, key: Row, sweeps: Mapping[str, Sequence[str]]) -> list[Row]:
    """Run a seed and rate of a preset, or what is left of it, a sweep after the other; a row a run."""
    place = settings.folder / key["sweep"] / str(key["seed"]) / f"{key['lr']:g}"
    found: list[Row] = []
    for name, words in sweeps.items():
        given = [*settings.overrides, *words, f"seed={key['seed']}", f"optimizer.lr={key['lr']:g}"]
        given = [f"experiment={key['sweep']}", *last_of_each(given), f"output_dir={place / name}"]
        broken = _broken_runs(place / name, wait_for(command_of_sweep(given, settings.program)))
        found += [run | {"broke": ""} for run in runs_below(place / name, more=readings_of_zoo)] + broken
    return found


def _broken_runs(folder: Path, code: int) -> list[Row]:
    """A row for each job that an error of its own ended. SystemExit where the sweep was stopped, or is at fault.

    A job that waits or was interrupted though the sweep is over is of an earlier version of its recipe or preset.
    """
    index = folder / "sweep.json"
    jobs = json.loads(index.read_text(encoding="utf-8"))["jobs"] if index.is_file() else []
    failed = [job for job in jobs if job["state"] == "failed"]
    of_machine = len(failed) > max(1.0, BROKEN * len(jobs)) or any(job["code"] != 1 for job in failed)
    of_machine |= any(job["state"] == "interrupted" for job in jobs)
    if code and (code != 1 or not failed or of_machine):
        say(f"{folder}: ended with {code}; the same command goes on")
        raise SystemExit(code)
    return [_row_of_error(job) for job in failed]


def _row_of_error(job: dict[str, Any]) -> Row:
    """Nothing is known of it but that it broke, and how."""
    given = dict(word.split("=", 1) for word in job["overrides"])
    row: Row = {name: {"text": "unknown", "number": None, "flag": True}[field.kind] for name, field in FIELDS.items()}
    row |= dict.fromkeys(("kept", "noise", "rollouts", "sampled", "seconds"))
    row |= {"row": given["algorithm"], "lr": float(given["optimizer.lr"]), "seed": int(given["seed"])}
    return row | {"broke": job["reason"] or f"ended with {job['code']}"}


def readings_of_zoo(_: Path, steps: list[dict[str, Any]]) -> Row:
    """What is left of the entropy, the gradient's noise while the run learnt, when it got there, and what it took."""
    learning = [step for step in steps if step["accuracy/fresh"] < THRESHOLD and step.get("gradient/signal_resolved")]
    noise = [step["gradient/normalised_variance"] for step in learning]
    accuracy = running_means([step["accuracy/fresh"] for step in steps])
    reached = first_threshold_crossing([step["rollouts"] for step in steps], accuracy, THRESHOLD)
    entropy = [step["policy/entropy"] for step in steps]
    return {
        "kept": fmean(entropy[-WINDOW:]) / entropy[0] if entropy[0] > 0 else None,
        "noise": median(noise) if noise else None,
        "rollouts": reached.x if reached.observed else None,
        "sampled": steps[-1]["rollouts"],
        "seconds": median(step["time/step"] for step in steps),
    }


def table(record: Record) -> str:
    """Whole seeds only: a seed that lacks a rate or a recipe is named and waits."""
    rates = record.settings["rates"] if record.settings["after"] is None else [REAL_RATE]
    return tables(record.rows("runs"), rates)


BENCHMARK = Benchmark(
    "zoo", __doc__, Chosen, QUICK, TABLES, measure, table, figure=draw, of_record=True, any_machine=True
)

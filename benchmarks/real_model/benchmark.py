"""SmolLM2-135M on few-shot sums: TVO and GRPO at three rates, then rivals at the rates that a pilot seed chose.

    python -m benchmarks.real_model --out docs/results/real-model/record.json      hours; in the background: nice -n 19

The sweeps are `tvo train -m experiment=real_model` and `real_model_pilot`, one seed and rate at a time; the jobs of
one run side by side. TVO is there twice: `tvo_2025` in groups of eight as GRPO is, and `tvo` with one response a
prompt, as it comes; both with the preset's passes. What is finished is in the record, which is all that another
machine needs to go on with the same command; an unfinished run goes on from its folder. Each rival has on the three
seeds the rate at which it ended best on the pilot seed, and ten times that rate.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.record import Record, Row, number, text
from benchmarks.harness.settings import option
from benchmarks.real_model.figure import draw
from benchmarks.real_model.tables import FIRST, LAST, LATE, tables
from benchmarks.sweeps.choice import best_rate
from benchmarks.sweeps.runs import FIELDS, SweepSettings, runs_below, sweep_one_seed

PILOT_SEED = 3
OURS, RIVALS = ("tvo_2025", "grpo"), ("reinforce", "grpo_shrunk_cv", "ppo")
ONE_RESPONSE, ITS_BATCH = "tvo", ("rollout.prompts=32", "rollout.samples=1")  # as many responses as 4 × 8
FASTER = 10.0  # times its best rate: does it hold?
NOISE = "gradient/normalised_variance"
OF_A_RUN = {
    "start": number("pass@1 before the first step", "share of problems solved"),
    "late": number("mean accuracy of the fresh rollouts, last 20 steps", "share of rollouts"),
    "noise": number("median gradient/normalised_variance of the first 20 batches with unequal rewards", "1"),
    "tv": number("largest policy/tv", "1"),
    "settled": number("mean policy/entropy of the last 10 steps", "nats"),
    "verdict": text("of the run's rules: healthy, or collapsed and since which step"),
}
TABLES = {
    "runs": {"part": text("first: TVO and GRPO; pilot: rivals on the pilot seed; rivals: at their rates")}
    | FIELDS
    | OF_A_RUN
}


class Chosen(SweepSettings):
    """What can be chosen."""

    seeds: tuple[int, ...] = option((0, 1, 2), "of every run but the pilot's")
    rates: tuple[float, ...] = option((1e-5, 3e-5, 1e-4), "learning rates of the first part and of the pilot")
    folder: Path = option(Path("outputs/real_model"), "where the runs lie", of_start=True)


QUICK = {
    "seeds": (0,),
    "rates": (1e-3,),
    "overrides": ("model=tiny", "dataset=addition", "trainer.steps=1", "evaluation.problems=4"),
    "folder": Path("outputs/real_model_quick"),
}


def measure(settings: Chosen, record: Record) -> Iterator[Measurement]:
    """A whole seed of the first part before the next one begins; then the pilot; then the rivals, seed by seed."""
    for seed in settings.seeds:
        yield from (_measured(settings, "first", OURS, seed, (rate,)) for rate in settings.rates)
        yield _measured(settings, "first", (ONE_RESPONSE,), seed, settings.rates)
    yield from (_measured(settings, "pilot", RIVALS, PILOT_SEED, (rate,)) for rate in settings.rates)
    pilot = [row for row in record.rows("runs") if row["part"] == "pilot"]
    for seed in settings.seeds:
        for name in RIVALS:
            best = best_rate(pilot, name)
            yield _measured(settings, "rivals", (name,), seed, (best, FASTER * best))


def _measured(settings: Chosen, part: str, names: Sequence[str], seed: int, rates: Sequence[float]) -> Measurement:
    """The first row of a sweep, and its rate where it has one alone, tell whether the record has the sweep."""
    key = {"part": part, "seed": seed, "row": names[0]} | ({"lr": rates[0]} if len(names) > 1 else {})
    return Measurement("runs", key, partial(_swept, settings, part, names, seed, rates))


def _swept(settings: Chosen, part: str, names: Sequence[str], seed: int, rates: Sequence[float]) -> list[Row]:
    """Run these jobs, or what is left of them; a row a run."""
    preset = "real_model_pilot" if part == "pilot" else "real_model"
    swept = f"{rates[0]:g}" if len(names) > 1 else names[0]
    folder = settings.folder / part / str(seed) / swept
    chosen = [f"algorithm={','.join(names)}", f"seed={seed}", f"optimizer.lr={','.join(f'{one:g}' for one in rates)}"]
    chosen += ITS_BATCH if names == (ONE_RESPONSE,) else ()
    words = [f"experiment={preset}", "trainer.threads=1", *settings.overrides, *chosen, f"output_dir={folder}"]
    sweep_one_seed(words, settings.program, f"{part}, seed {seed}, {swept}")
    return runs_below(folder, more=readings_of_run)


def readings_of_run(folder: Path, steps: list[dict[str, Any]]) -> Row:
    """What docs/results/real-model.md says of a run besides what every sweep's table does."""
    informative = [step for step in steps if step["group/zero_advantage"] < 1.0][:FIRST]
    noise = [step[NOISE] for step in informative if NOISE in step]
    return {
        "start": _start(folder),
        "late": fmean(step["accuracy/fresh"] for step in steps[-LATE:]),
        "noise": median(noise) if noise else None,
        "tv": max(step["policy/tv"] for step in steps),
        "settled": fmean(step["policy/entropy"] for step in steps[-LAST:]),
        "verdict": _verdict(folder),
    }


def _start(folder: Path) -> float | None:
    """pass@1 before the first step."""
    lines = map(json.loads, (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return next((line["eval/pass@1"] for line in lines if line["step"] == 0 and "eval/pass@1" in line), None)


def _verdict(folder: Path) -> str:
    found = json.loads((folder / "collapse.json").read_text(encoding="utf-8"))
    at = found["collapsed_at"]
    return str(found["verdict"]) if at is None else f"{found['verdict']} at {at}"


def table(record: Record) -> str:
    """A line a run, as the page has them; then each algorithm and rate over its seeds, and what that decides."""
    return tables(record.rows("runs"))


BENCHMARK = Benchmark(
    "real_model", __doc__, Chosen, QUICK, TABLES, measure, table, figure=draw, of_record=True, any_machine=True
)

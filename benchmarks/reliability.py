"""What reliability costs and what it survives: docs/results/reliability.md.

    python -m benchmarks.reliability --parts faults    kill -9 at 20 random moments, half of them inside saving
    python -m benchmarks.reliability --parts cost      time and bytes of a checkpoint, of saving every step, recorder

The child processes that die are forks that send themselves SIGKILL (tests/training/faults.py).
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from benchmarks.harness import markdown
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.record import Record, Row, flag, group, number, numbers, text
from benchmarks.harness.settings import Settings, option
from tests.training import faults
from tvo_cli import config
from tvo_cli.checkpoint import checkpoint_folders, checkpoint_writer
from tvo_cli.experiment import train
from tvo_cli.file_digest import file_sha256

STEPS = 12
QUIET = ("logger=none", "logger.console=off", "evaluation=off", "trainer.threads=1")
WITHOUT = "no checkpoint before the end"
VARIANTS = {
    f"{WITHOUT}, recorder off": ("trainer.checkpoint_every=0", "recorder=off"),
    WITHOUT: ("trainer.checkpoint_every=0",),
    "a checkpoint every step": ("trainer.checkpoint_every=1",),
    "a checkpoint every step, every step recorded": ("trainer.checkpoint_every=1", "recorder.steps={every}"),
}
KILLED = (
    "trainer.steps=3",
    "trainer.checkpoint_every=1",
    "rollout.prompts=8",
    "rollout.samples=2",
    "recorder.steps=[2]",
)
Part = Literal["faults", "cost"]
TABLES = {
    "faults": {
        "seed": number("of the moments", "1"),
        "trial": number("which of its moments", "1"),
        "at": number("event of the run, from 0", "1"),
        "events": number("events of a whole run", "1"),
        "saving": number("of them inside saving", "1"),
        "event": text("what happens there: fsync, rename, an update …"),
        "after": flag("killed just after it, not before"),
        "met": flag("killed, and the same weights, optimiser, state and metrics as without"),
    },
    "cost": {
        "algorithm": text("which algorithm"),
        "round": number("0 warms up and does not count", "1"),
        "variant": text("what is saved and recorded"),
        "seconds": number("a run, processes apart", "s"),
        "checkpoint": number("the last checkpoint", "bytes"),
        "recording": number("the largest recording; null: none", "bytes"),
        "saves": numbers("writing each checkpoint", "s"),
    },
}


class Chosen(Settings):
    """What can be chosen."""

    parts: tuple[Part, ...] = option(("faults", "cost"), "what is measured")
    count: int = option(20, "moments a seed", gt=0)
    seeds: tuple[int, ...] = option((0,), "of the moments", min_length=1)
    rounds: int = option(5, "runs of each variant, after one that does not count", gt=0)
    algorithms: tuple[str, ...] = option(("tvo", "ppo"), "whose cost is measured")
    steps: int = option(STEPS, "batches of a run whose cost is measured", gt=0)


QUICK = {"count": 2, "rounds": 1, "algorithms": ("tvo",), "steps": 1}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """Faults, then cost with the variants interleaved."""
    torch.set_num_threads(1)
    if "faults" in settings.parts:
        for seed in settings.seeds:
            yield from _faults(settings.count, seed)
    for algorithm in settings.algorithms if "cost" in settings.parts else ():
        for turn in range(settings.rounds + 1):
            for variant in VARIANTS:
                key = {"algorithm": algorithm, "round": turn, "variant": variant}
                yield Measurement("cost", key, partial(_cost, algorithm, variant, settings.steps))


def run(folder: Path, *overrides: str) -> Path:
    """Train in a folder."""
    train(config.compose([*QUIET, f"output_dir={folder}", *overrides]))
    return folder


def moments(kinds: list[str], count: int, seed: int) -> list[tuple[int, bool]]:
    """Events to be killed at, half of them inside saving, and whether just after."""
    draw = random.Random(seed)
    saving = [i for i, kind in enumerate(kinds) if kind in faults.SAVING]
    chosen = draw.sample(saving, count // 2) + draw.sample(range(len(kinds)), count - count // 2)
    return [(at, draw.random() < 0.5) for at in chosen]


def _faults(count: int, seed: int) -> Iterator[Measurement]:
    """Kill, go on, compare with the run that was left alone."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        whole = outcome(run(root / "whole", *KILLED))
        kinds = faults.events(lambda: run(root / "counted", *KILLED))
        totals = {"events": len(kinds), "saving": sum(kind in faults.SAVING for kind in kinds)}
        for trial, (at, after) in enumerate(moments(kinds, count, seed)):
            key = {"seed": seed, "trial": trial, "at": at, "after": after, "event": kinds[at]} | totals
            yield Measurement("faults", key, partial(_survives, root / f"cut-{trial}", at, after, whole))


def _survives(folder: Path, at: int, after: bool, whole: tuple[str, ...]) -> Row:
    died = faults.killed(lambda: run(folder, *KILLED), at, after=after)
    return {"met": bool(died and outcome(run(folder, *KILLED)) == whole)}


def outcome(folder: Path) -> tuple[str, ...]:
    """Weights, optimiser, state and metrics at the end, without what the clock says."""
    last = checkpoint_folders.list_checkpoints(folder / "checkpoints")[-1]
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    kept = [{name: value for name, value in row.items() if not name.startswith(("time/", "memory/"))} for row in rows]
    names = ("policy/model.safetensors", "optimizer.safetensors", "state.json")
    return json.dumps(kept), *(file_sha256(last / name) for name in names)


def _cost(algorithm: str, variant: str, steps: int) -> Row:
    words = [word.format(every=[*range(1, steps + 1)]) for word in VARIANTS[variant]]
    sizes = (f"trainer.steps={steps}", "trainer.keep=1")
    with tempfile.TemporaryDirectory() as place, _timed_saves() as saves:
        begun = time.perf_counter()
        folder = run(Path(place) / "run", f"algorithm={algorithm}", *sizes, *words)
        seconds = time.perf_counter() - begun
        checkpoint = _bytes(folder / f"checkpoints/step-{steps:06d}")
        recordings = [_bytes(one) for one in folder.glob("recorder/step-*")]
    return {"seconds": seconds, "checkpoint": checkpoint, "recording": max(recordings, default=None), "saves": saves}


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextmanager
def _timed_saves() -> Iterator[list[float]]:
    """The seconds of each checkpoint that is written meanwhile."""
    real, seconds = checkpoint_writer.save_checkpoint, list[float]()
    checkpoint_writer.save_checkpoint = timed(real, seconds)
    try:
        yield seconds
    finally:
        checkpoint_writer.save_checkpoint = real


def timed(save: Callable[..., Path], into: list[float]) -> Callable[..., Path]:
    """`save`, with its seconds put into a list."""

    def wrapped(*args: object, **named: object) -> Path:
        begun = time.perf_counter()
        found = save(*args, **named)
        into.append(time.perf_counter() - begun)
        return found

    return wrapped


def table(record: Record) -> str:
    """What was tried, and what it costs."""
    return "\n\n".join([*_table_of_faults(record.rows("faults")), *_table_of_cost(record.rows("cost"))])


def _table_of_faults(rows: list[Row]) -> Iterator[str]:
    if rows:
        when, end = {True: "after", False: "before"}, {True: "same bits", False: "OTHER BITS"}
        lines = [[i, when[row["after"]], row["at"], row["event"], end[row["met"]]] for i, row in enumerate(rows, 1)]
        yield f"{rows[0]['events']} events a run, {rows[0]['saving']} of them inside saving"
        yield markdown.table(["", "killed", "event", "which is", "the same command ends with"], lines)
        yield f"{sum(row['met'] for row in rows)} of {len(rows)} survived"


def _table_of_cost(rows: list[Row]) -> Iterator[str]:
    lines = []
    for (algorithm,), mine in group((row for row in rows if row["round"]), "algorithm").items():
        times = {name: [row["seconds"] for row in found] for (name,), found in group(mine, "variant").items()}
        none = statistics.median(times.get(WITHOUT, [float("nan")]))
        lines += [
            [algorithm, name, markdown.spread(found), f"{statistics.median(found) / none - 1:+.1%}"]
            for name, found in times.items()
        ]
    if lines:
        yield markdown.table(["algorithm", "", "seconds, median (least … most)", f"against {WITHOUT}"], lines)
        yield from (_sizes(algorithm, found) for (algorithm,), found in group(rows, "algorithm").items())


def _sizes(algorithm: str, rows: list[Row]) -> str:
    saves = [seconds for row in rows for seconds in row["saves"]]
    recording = max((row["recording"] for row in rows if row["recording"] is not None), default=0)
    checkpoint, writing = max(row["checkpoint"] for row in rows), 1e3 * markdown.median(saves)
    sizes = f"{algorithm}: one checkpoint {checkpoint:,} bytes; one recording {recording:,} bytes"
    return f"{sizes}; writing a checkpoint {writing:.0f} ms (median of {len(saves)})"


BENCHMARK = Benchmark(Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table)

if __name__ == "__main__":
    BENCHMARK.main()

"""Seconds and memory of a training step, ours and TRL's, on the same work, in turn on the same core.

    python -m benchmarks.step --work w1 --steps 8 --repeats 1   # our side alone, about a minute
    python -m benchmarks.step --work w1 --peer trl              # sets TRL 1.16.0 up below outputs/ the first time
    python -m benchmarks.step --work w2 --peer trl --peer-python /path/to/venv/bin/python

A step is one rollout with all its updates: generation, rewards, advantages, old log-probabilities where they are
computed, forward and backward, clipping, optimiser, logging. Both sides are pinned to one core, use one thread and
fp32, take turns, and are measured after a warm-up; a ratio is that of the medians of one turn, its spread
that over turns.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

from benchmarks.harness import markdown
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.child_process import FOLDER
from benchmarks.harness.markdown import median, spread
from benchmarks.harness.record import Record, Row, group, number
from benchmarks.harness.settings import Clock, Settings, option
from benchmarks.peers.environment import interpreter
from benchmarks.workload import step_process
from benchmarks.workload.work import WORKS, build

SAME = (
    "Same on both sides: weights, tokenizer, prompts, number and lengths of responses, reward, temperature 1, fp32, "
    "one thread, AdamW, clipping at norm 1, no KL term, no reference model, no checkpoints; gradient checkpointing and "
    "bf16 are off."
)
DIFFERENT = (
    "Different: the tokens drawn (other random numbers). TRL forwards the whole batch at once, its default, unless "
    "--peer-micro-batch says otherwise: smaller ones need much less memory; tvo runs with its defaults. tvo grades "
    "every response, writes metrics.jsonl, reads the gradient's variance and watches for collapse at every step; its "
    "flight recorder, which TRL has not, is off. tvo takes log π_old from its fp32 sampler and logs the mismatch; TRL "
    "recomputes it where there are several updates. tvo multiplies through oneDNN where that keeps fp32's accuracy and "
    "keeps freed memory; TRL runs with PyTorch's defaults, as a user finds it."
)
COLUMNS = ("step", "generation", "log_probs", "forward_backward", "optimizer", "other")
RATES = ("tokens_per_second", "generated_per_second", "peak_mb", "base_mb")
TABLES = {"processes": {"turn": number("which turn of the sides", "1"), **step_process.FIELDS}}


class Chosen(Settings):
    """What can be chosen."""

    work: Literal["tiny", "w1", "w1skew", "w1x2", "w2", "w2x2", "smollm2", "smollm2skew", "smollm2skew4"] = option(
        "w1", "the fixed work, see workload/work.py"
    )
    peer: Literal["", "trl"] = option("", "the other side")
    peer_python: str = option("", "an interpreter that has TRL 1.16.0; else one is set up")
    repeats: int = option(3, "turns", gt=0)
    steps: int = option(8, "measured steps a turn", gt=0)
    peer_steps: int = option(0, "the peer's, where its steps are long; 0: the same", ge=0)
    peer_micro_batch: int = option(0, "responses a forward pass of TRL; 0: the whole batch", ge=0)
    warm_up: int = option(2, "steps before the measured ones", ge=1)
    core: str = option("1", "the core that both sides are pinned to; empty: none")
    clock: Clock = option("wall", "cpu where the machine is shared")
    words: tuple[str, ...] = option((), "further overrides of our run, after --", positional=True)


QUICK = {"work": "tiny", "repeats": 1, "steps": 1, "warm_up": 1, "core": ""}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """The sides in turn."""
    work, peer = WORKS[settings.work], settings.peer
    pythons = {"tvo": sys.executable} | ({peer: interpreter(peer, settings.peer_python)} if peer else {})
    rollouts = max(settings.steps, settings.peer_steps) + settings.warm_up + 1
    folder = build(work, FOLDER / "step" / work.name, rollouts)
    for turn in range(settings.repeats):
        for side, python in pythons.items():
            key = {"side": side, "turn": turn}
            yield Measurement("processes", key, partial(_process, settings, side, python, folder))


def _process(settings: Chosen, side: str, python: str, folder: Path) -> Row:
    steps, words = settings.steps, list(settings.words)
    if side != "tvo":
        steps, words = settings.peer_steps or steps, ["--micro-batch", str(settings.peer_micro_batch)]
    sizes: dict[str, Any] = {"steps": steps, "warm_up": settings.warm_up, "clock": settings.clock}
    work = WORKS[settings.work]
    return step_process.measured(side, work, folder, words, python=python, core=settings.core, **sizes)


def medians(row: Row) -> dict[str, float]:
    """Of one process: the parts of a step in seconds, tokens a second, memory in MiB."""
    found, tokens = step_process.median_parts(row), median(row["tokens"])
    rates = {"tokens_per_second": tokens / found["step"], "generated_per_second": tokens / found["generation"]}
    return found | rates | {name: row[name] for name in ("peak_mb", "base_mb")}


def ratios(record: Record) -> dict[str, list[float]]:
    """Peer over ours, turn by turn; for memory ours over the peer's, as the targets are written."""
    turns = step_process.turns(record.rows("processes"), "tvo", "trl")
    pairs = [(medians(mine), medians(theirs)) for mine, theirs in turns]
    names = ("step", "generation", "forward_backward")
    found = {f"{name}, trl/tvo": [theirs[name] / mine[name] for mine, theirs in pairs] for name in names}
    return found | {"peak_mb, tvo/trl": [mine["peak_mb"] / theirs["peak_mb"] for mine, theirs in pairs]}


def table(record: Record) -> str:
    """Both sides, the median over turns (least … most), and the ratios of the turns."""
    sides = {side: [medians(row) for row in rows] for (side,), rows in group(record.rows("processes"), "side").items()}
    rows = [
        [name, *(spread([run[name] for run in runs], 3 if name in COLUMNS else 0) for runs in sides.values())]
        for name in (*COLUMNS, *RATES)
    ]
    parts = [markdown.table(["median of a step, s", *sides], rows)]
    if "trl" in sides:
        lines = [[name, spread(values)] for name, values in ratios(record).items()]
        parts += [markdown.table(["ratio", "median (least … most) over turns"], lines), "\n".join(record.notes)]
    return "\n\n".join([_title(record), *parts])


def _title(record: Record) -> str:
    settings, sizes = record.settings, record.rows("processes")[0]["work"]
    where = f"{settings['clock']} seconds, core {settings['core'] or 'any'}"
    return f"{settings['work']}: {sizes['prompts']} prompts × {sizes['samples']}, {where}"


BENCHMARK = Benchmark(
    Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table, seeds=(0,), notes=(SAME, DIFFERENT)
)

if __name__ == "__main__":
    BENCHMARK.main()

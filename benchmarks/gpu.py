"""A training step on one GPU, ours and TRL's, with random models of Qwen2.5's 0.5B and 1.5B shapes, and its limits.

    python -m benchmarks.gpu                                   # our side
    python -m benchmarks.gpu --peer trl --peer-python PATH     # both, in turn
    python -m benchmarks.gpu --sizes tiny                      # whether it runs at all, in seconds

Without a GPU it says so and ends. Both sides: bf16 autocast over fp32 weights, SDPA, the same prompts, lengths and
micro-batch, gradient checkpointing off. Beside the seconds stand the model's FLOP utilisation and the memory bound
of decoding: each new token reads every weight and the keys and values so far once, which no batch can avoid.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch

from benchmarks.harness import markdown
from benchmarks.harness.benchmark import Benchmark, Measurement, Skipped
from benchmarks.harness.child_process import FOLDER
from benchmarks.harness.markdown import median, spread
from benchmarks.harness.record import Record, Row, group, number, text
from benchmarks.harness.settings import Settings, option
from benchmarks.peers.environment import interpreter
from benchmarks.workload import step_process
from benchmarks.workload.work import TINY, Work, build

VOCABULARY = 151_936
WORKS = {
    "tiny": TINY,
    "0.5b": Work(
        "gpu-0.5b", 16, 8, 128, 512,
        hidden=896, layers=24, heads=14, kv_heads=2, inner=4864, vocabulary=VOCABULARY,
    ),
    "1.5b": Work(
        "gpu-1.5b", 16, 8, 128, 512,
        hidden=1536, layers=28, heads=12, kv_heads=2, inner=8960, vocabulary=VOCABULARY,
    ),
}  # fmt: skip
# Dense bf16 TFLOP/s and memory TB/s, as the manufacturer states them; the longest name that fits counts.
LIMITS = {"H200": (989, 4.8), "H100": (989, 3.35), "A100": (312, 2.0), "L40S": (362, 0.864), "4090": (165, 1.01)}
ON_GPU = ("trainer.device=cuda", "trainer.precision=bfloat16", "trainer.old_logp=auto")
BYTES = 2  # of a number in bf16
TABLES = {
    "processes": {
        "size": text("the model's shape"),
        "turn": number("which turn of the sides", "1"),
        **step_process.FIELDS,
        "step_utilisation": number("useful operations of a step over its time and the GPU's limit; null: unknown", "1"),
        "update_utilisation": number("the same of the updates", "1"),
        "decoding_over_bound": number("generation over the time that reading weights, keys and values takes", "1"),
    }
}


class Chosen(Settings):
    """What can be chosen."""

    sizes: tuple[Literal["tiny", "0.5b", "1.5b"], ...] = option(("0.5b", "1.5b"), "shapes of the model")
    peer: Literal["", "trl"] = option("", "the other side")
    peer_python: str = option("", "an interpreter that has TRL 1.16.0; else one is set up")
    repeats: int = option(2, "turns", gt=0)
    steps: int = option(4, "measured steps a turn", gt=0)
    micro_batch: int = option(16, "responses a forward pass, on both sides", gt=0)


QUICK = {"sizes": ("tiny",), "repeats": 1, "steps": 1, "micro_batch": 8}


def parameters(work: Work) -> int:
    """Weights of a Qwen2 shape with tied embeddings, biases and norms left out."""
    width = work.hidden // work.heads * work.kv_heads
    layer = 2 * work.hidden**2 + 2 * work.hidden * width + 3 * work.hidden * work.inner
    return work.layers * layer + work.hidden * work.vocabulary


def flops(work: Work) -> tuple[float, float]:
    """Of a step's generation and of its updates: 2 a weight and token forward, 6 forward and backward.

    Prompts count once a response, as no implementation may be praised for work it has saved: utilisation is useful
    work over time. Attention's own products are left out (under 5% at these lengths).
    """
    tokens = work.rows * (work.prompt_tokens + work.new_tokens)
    return 2.0 * parameters(work) * tokens, 6.0 * parameters(work) * tokens * work.epochs


def decoding_bound(work: Work, bandwidth: float) -> float:
    """Seconds that reading weights, keys and values takes at `bandwidth` bytes a second, all rows decoded together."""
    cache = 2 * work.layers * work.hidden // work.heads * work.kv_heads * BYTES
    read = work.new_tokens * parameters(work) * BYTES
    read += sum(work.rows * cache * (work.prompt_tokens + t) for t in range(work.new_tokens))
    return read / bandwidth


def limits(name: str) -> tuple[float, float] | None:
    """FLOP/s and bytes a second of a GPU by its name; None for one that is not known."""
    found = [(tera * 1e12, memory * 1e12) for key, (tera, memory) in LIMITS.items() if key in name]
    return found[0] if found else None


def against_limits(work: Work, row: Row, known: tuple[float, float] | None) -> dict[str, float | None]:
    """How near a process comes to the GPU's limits."""
    if known is None:
        return dict.fromkeys(("step_utilisation", "update_utilisation", "decoding_over_bound"))
    making, learning = flops(work)
    return {
        "step_utilisation": (making + learning) / median(row["step"]) / known[0],
        "update_utilisation": learning / median(row["update"]) / known[0],
        "decoding_over_bound": median(row["generation"]) / decoding_bound(work, known[1]),
    }


def measure(settings: Chosen) -> Iterator[Measurement]:
    """The sides in turn, size by size."""
    if not torch.cuda.is_available():
        raise Skipped("there is no GPU that this PyTorch can use (torch.cuda.is_available() is false).")
    peer = settings.peer
    pythons = {"tvo": sys.executable} | ({peer: interpreter(peer, settings.peer_python)} if peer else {})
    for size in settings.sizes:
        folder = build(WORKS[size], FOLDER / "gpu" / WORKS[size].name, settings.steps + 2)
        for turn in range(settings.repeats):
            for side, python in pythons.items():
                key = {"size": size, "turn": turn, "side": side}
                yield Measurement("processes", key, partial(_process, settings, size, side, python, folder))


def _process(settings: Chosen, size: str, side: str, python: str, folder: Path) -> Row:
    work, rows = WORKS[size], str(settings.micro_batch)
    words = [*ON_GPU, f"trainer.microbatch_rows={rows}"] if side == "tvo" else ["--micro-batch", rows]
    steps: dict[str, Any] = {"steps": settings.steps, "warm_up": 1, "clock": "gpu"}
    found = step_process.measured(side, work, folder, words, python=python, core="", **steps)
    return found | against_limits(work, found, limits(torch.cuda.get_device_name()))


def table(record: Record) -> str:
    """Each size: both sides, and the ratio of the turns."""
    sizes = group(record.rows("processes"), "size").items()
    return "\n\n".join(f"{size} on {record.machine.gpu}\n\n{_sides(rows)}" for (size,), rows in sizes)


def _sides(rows: list[Row]) -> str:
    sides = group(rows, "side")
    names = ("step", "generation", "update", "gpu_mb", "step_utilisation", "update_utilisation", "decoding_over_bound")
    lines = [[name, *(spread(_values(found, name)) for found in sides.values())] for name in names]
    text = markdown.table(["median of a step", *(side for (side,) in sides)], lines)
    turns = step_process.turns(rows, "tvo", "trl")
    ratios = [median(theirs["step"]) / median(mine["step"]) for mine, theirs in turns]
    return text + (f"\n\nstep, trl/tvo: {spread(ratios)}" if ratios else "")


def _values(rows: list[Row], name: str) -> list[float]:
    found = (median(row[name]) if isinstance(row[name], list) else row[name] for row in rows)
    return [value for value in found if value is not None]


BENCHMARK = Benchmark(Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table, seeds=(0,))

if __name__ == "__main__":
    BENCHMARK.main()

"""A training step on one GPU, ours and TRL's, with random models of Qwen2.5's 0.5B and 1.5B shapes, and its limits.

    python -m benchmarks.gpu                                   # our side
    python -m benchmarks.gpu --peer trl --peer-python PATH     # both, in turn

Without a GPU it says so and ends. Both sides: bf16 autocast over fp32 weights, SDPA, the same prompts, lengths and
micro-batch, gradient checkpointing off. Beside the seconds stand the model's FLOP utilisation and the memory bound
of decoding: each new token reads every weight and the keys and values so far once, which no batch can avoid.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

from benchmarks.measuring import FOLDER, child, machine, middle, spread, table, write
from benchmarks.peers.environment import interpreter, version
from benchmarks.work import Work, build

VOCABULARY = 151_936
WORKS = {
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


def once(side: str, python: str, work: Work, folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """One process of one side."""
    module = "benchmarks.own_step" if side == "tvo" else "benchmarks.peers.trl_step"
    sizes = ["--steps", str(chosen.steps), "--warm-up", "1", "--clock", "gpu"]
    rows = str(chosen.micro_batch)
    more = [*ON_GPU, f"trainer.microbatch_rows={rows}"] if side == "tvo" else ["--micro-batch", rows]
    return child([python, "-m", module, str(folder), "--work", json.dumps(vars(work)), *sizes, *more])


def summary(work: Work, run: dict[str, Any], known: tuple[float, float] | None) -> dict[str, float]:
    """Medians of a process, and how near they are to the limits."""
    found = {name: middle([row.get(name, 0.0) for row in run["rows"]]) for name in ("step", "generation", "update")}
    found["gpu_mb"] = run["gpu_mb"]
    if known is not None:
        making, learning = flops(work)
        found["step_utilisation"] = (making + learning) / found["step"] / known[0]
        found["update_utilisation"] = learning / found["update"] / known[0]
        found["decoding_over_bound"] = found["generation"] / decoding_bound(work, known[1])
    return found


def main() -> None:
    """A table and a JSON file, or one line where there is no GPU."""
    chosen = arguments()
    if not torch.cuda.is_available():
        print("skipped: there is no GPU that this PyTorch can use (torch.cuda.is_available() is false).")
        return
    name = torch.cuda.get_device_name()
    before, known, record = machine() | {"gpu": name}, limits(name), {}
    python = interpreter("trl", chosen.peer_python) if chosen.peer else ""
    for size in chosen.sizes:
        work = WORKS[size]
        folder = build(work, FOLDER / "gpu" / work.name, chosen.steps + 2)
        sides: dict[str, list[dict[str, float]]] = {"tvo": [], "trl": []}
        for _ in range(chosen.repeats):
            sides["tvo"].append(summary(work, once("tvo", sys.executable, work, folder, chosen), known))
            if chosen.peer:
                sides["trl"].append(summary(work, once("trl", python, work, folder, chosen), known))
        record[size] = sides
        print(f"\n{size} on {name}\n\n{report(sides)}", flush=True)
    versions = {"trl": version(python, "trl")} if chosen.peer else {}
    write(chosen.out, {"machine": before | versions, "limits": known, "sizes": record})


def report(sides: dict[str, list[dict[str, float]]]) -> str:
    """Both sides, and the ratio of each turn."""
    names = [side for side, runs in sides.items() if runs]
    rows = [[key, *(spread([run[key] for run in sides[side]]) for side in names)] for key in sides["tvo"][0]]
    text = table(["median of a step", *names], rows)
    pairs = list(zip(sides["tvo"], sides["trl"], strict=False))
    ratios = [theirs["step"] / mine["step"] for mine, theirs in pairs]
    return text + (f"\n\nstep, trl/tvo: {spread(ratios)}" if ratios else "")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=sorted(WORKS), default=sorted(WORKS))
    parser.add_argument("--peer", choices=("trl",), default="")
    parser.add_argument("--peer-python", default="")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--micro-batch", type=int, default=16, help="responses a forward, on both sides")
    parser.add_argument("--out", type=Path, default=FOLDER / "gpu.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()

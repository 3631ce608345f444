"""Seconds and memory of a training step, ours and TRL's, on the same work, in turn on the same core.

    python -m benchmarks.step --work w1 --quick                 # our side alone, about a minute
    python -m benchmarks.step --work w1 --peer trl              # sets TRL 1.16.0 up below outputs/ the first time
    python -m benchmarks.step --work w2 --peer trl --peer-python /path/to/venv/bin/python

A step is one rollout with all its updates: generation, rewards, advantages, old log-probabilities where they are
computed, forward and backward, clipping, optimiser, logging. Both sides are pinned to one core, use one thread and
fp32, take turns, and are measured after a warm-up; a ratio is that of the medians of one turn, its spread
that over turns.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.measuring import FOLDER, child, machine, middle, spread, table, write
from benchmarks.peers.environment import interpreter, version
from benchmarks.work import WORKS, Work, build

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
PARTS = ("step", "generation", "log_probs", "forward_backward", "optimizer", "other")


def once(side: str, python: str, work: Work, folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """One process of one side."""
    steps = chosen.steps if side == "tvo" else chosen.peer_steps or chosen.steps
    module = "benchmarks.own_step" if side == "tvo" else "benchmarks.peers.trl_step"
    sizes = ["--steps", str(steps), "--warm-up", str(chosen.warm_up), "--clock", chosen.clock]
    more = chosen.words if side == "tvo" else ["--micro-batch", str(chosen.peer_micro_batch)]
    found = child([python, "-m", module, str(folder), "--work", json.dumps(vars(work)), *sizes, *more], chosen.core)
    for row in found["rows"]:
        row["forward_backward"] = row.pop("update") - row.get("optimizer", 0.0)
        row["other"] = row["step"] - sum(row.get(part, 0.0) for part in PARTS[1:-1])
    return found


def medians(run: dict[str, Any]) -> dict[str, float]:
    """Of one process: the parts of a step in seconds, tokens a second, memory in MB."""
    rows = run["rows"]
    found = {part: middle([row.get(part, 0.0) for row in rows]) for part in PARTS}
    tokens = middle([row["tokens"] for row in rows])
    return found | {
        "tokens": tokens,
        "tokens_per_second": tokens / found["step"],
        "generated_per_second": tokens / found["generation"],
        "peak_mb": run["peak_mb"],
        "base_mb": run["base_mb"],
    }


def ratios(sides: dict[str, list[dict[str, float]]]) -> dict[str, list[float]]:
    """Peer over ours, turn by turn; for memory ours over the peer's, as the targets are written."""
    pairs = list(zip(sides["tvo"], sides.get("trl", []), strict=False))
    names = ("step", "generation", "forward_backward")
    found = {name: [theirs[name] / mine[name] for mine, theirs in pairs] for name in names}
    return found | {"peak_mb": [mine["peak_mb"] / theirs["peak_mb"] for mine, theirs in pairs]}


def report(sides: dict[str, list[dict[str, float]]]) -> str:
    """Both sides as a table, the median over turns (least … most)."""
    columns = (*PARTS, "tokens_per_second", "generated_per_second", "peak_mb", "base_mb")
    names = [name for name, runs in sides.items() if runs]
    digits = {column: 0 if column.endswith(("mb", "second")) else 3 for column in columns}
    rows = [
        [column, *(spread([run[column] for run in sides[name]], digits[column]) for name in names)]
        for column in columns
    ]
    text = table(["median of a step, s", *names], rows)
    found = ratios(sides)
    if found["step"]:
        lines = [
            [f"{name}, {'tvo/trl' if name == 'peak_mb' else 'trl/tvo'}", spread(values)]
            for name, values in found.items()
        ]
        text += "\n\n" + table(["ratio", "median (least … most) over turns"], lines)
    return text


def main() -> None:
    """Both sides in turn, a table, and a JSON file."""
    chosen = arguments()
    work = WORKS[chosen.work]
    if chosen.quick:
        chosen.steps, chosen.repeats, chosen.warm_up = (8 if work.name.startswith("w1") else 1), 1, 1
    python = interpreter("trl", chosen.peer_python) if chosen.peer else ""
    folder = build(work, FOLDER / "step" / work.name, max(chosen.steps, chosen.peer_steps) + chosen.warm_up + 1)
    before = machine()
    runs: dict[str, list[dict[str, Any]]] = {"tvo": [], "trl": []}
    for turn in range(chosen.repeats):
        runs["tvo"].append(once("tvo", sys.executable, work, folder, chosen))
        if chosen.peer:
            runs["trl"].append(once("trl", python, work, folder, chosen))
        print(
            f"turn {turn + 1}:", {side: round(medians(r[-1])["step"], 3) for side, r in runs.items() if r}, flush=True
        )
    sides = {side: [medians(run) for run in found] for side, found in runs.items()}
    print(
        f"\n{work.name}: {work.prompts} prompts × {work.samples}, {chosen.clock} seconds, core {chosen.core or 'any'}\n"
    )
    print(report(sides))
    print(f"\n{SAME}\n{DIFFERENT}" if chosen.peer else "")
    versions = {"trl": version(python, "trl")} if chosen.peer else {}
    record = {"work": vars(work), "machine": before | versions, "sides": sides, "ratios": ratios(sides), "runs": runs}
    write(chosen.out or FOLDER / f"step-{work.name}.json", record | {"same": SAME, "different": DIFFERENT})


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", choices=sorted(WORKS), default="w1")
    parser.add_argument("--peer", choices=("trl",), default="")
    parser.add_argument("--peer-python", default="", help="an interpreter that has TRL 1.16.0; else one is set up")
    parser.add_argument("--quick", action="store_true", help="one short turn")
    parser.add_argument("--repeats", type=int, default=3, help="turns")
    parser.add_argument("--steps", type=int, default=8, help="measured steps a turn")
    parser.add_argument("--peer-steps", type=int, default=0, help="the peer's, where its steps are long; 0: the same")
    parser.add_argument(
        "--peer-micro-batch", type=int, default=0, help="responses a forward of TRL; 0: the whole batch"
    )
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--core", default="1", help="the core both sides are pinned to; empty: none")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu where the machine is shared")
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("words", nargs="*", help="further overrides of our run, after --")
    return parser.parse_intermixed_args()


if __name__ == "__main__":
    main()

"""What reliability costs and what it survives: docs/results/reliability.md.

    python -m benchmarks.reliability cost      time and bytes of a checkpoint, overhead of saving every step, recorder
    python -m benchmarks.reliability faults    kill -9 at 20 random moments, half of them inside saving (takes a minute)

The child processes that die are forks that send themselves SIGKILL (tests/training/faults.py).
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from tests.training import faults
from tvo_cli import config
from tvo_cli.checkpoint import store
from tvo_cli.experiment import train

QUIET = ("logger=none", "logger.console=off", "evaluation=off", "trainer.threads=1")
SIZES = ("trainer.steps=12", "trainer.keep=1")
VARIANTS = {
    "no checkpoint before the end, recorder off": ("trainer.checkpoint_every=0", "recorder=off"),
    "no checkpoint before the end": ("trainer.checkpoint_every=0",),
    "a checkpoint every step": ("trainer.checkpoint_every=1",),
    "a checkpoint every step, every step recorded": ("trainer.checkpoint_every=1", f"recorder.steps={[*range(1, 13)]}"),
}
KILLED = (
    "trainer.steps=3",
    "trainer.checkpoint_every=1",
    "rollout.prompts=8",
    "rollout.samples=2",
    "recorder.steps=[2]",
)


def run(folder: Path, *overrides: str) -> Path:
    """Train in a folder."""
    train(config.compose([*QUIET, f"output_dir={folder}", *overrides]))
    return folder


def cost(rounds: int) -> None:
    """Seconds of a run under each variant, interleaved; bytes and seconds of one checkpoint."""
    saves: list[float] = []
    save = store.save
    store.save = timed(save, saves)  # type: ignore[assignment]
    for algorithm in ("tvo", "ppo"):
        seconds: dict[str, list[float]] = {name: [] for name in VARIANTS}
        for turn in range(rounds + 1):  # the first round warms up
            for name, words in VARIANTS.items():
                with tempfile.TemporaryDirectory() as place:
                    saves.clear()
                    begun = time.perf_counter()
                    folder = run(Path(place) / "run", f"algorithm={algorithm}", *SIZES, *words)
                    if turn:
                        seconds[name].append(time.perf_counter() - begun)
                    size = sum(
                        path.stat().st_size for path in folder.glob("checkpoints/step-000012/**/*") if path.is_file()
                    )
                    kept = list(folder.glob("recorder/step-*"))
                    recorded = [sum(p.stat().st_size for p in one.rglob("*") if p.is_file()) for one in kept]
        none = statistics.median(seconds["no checkpoint before the end"])
        for name, found in seconds.items():
            took = statistics.median(found)
            spread = f"(median of {rounds}; {min(found):.2f}–{max(found):.2f})"
            print(f"{algorithm:5} {name:46} {took:6.2f} s  {took / none - 1:+.1%}  {spread}", flush=True)
        print(f"{algorithm:5} one checkpoint: {size:,} bytes; one recording: {max(recorded):,} bytes; "
              f"writing one: {1e3 * statistics.median(saves):.0f} ms (median of {len(saves)})")  # fmt: skip


def timed(save: Callable[..., Path], into: list[float]) -> Callable[..., Path]:
    """`save`, with its seconds put into a list."""

    def wrapped(*args: object, **named: object) -> Path:
        begun = time.perf_counter()
        found = save(*args, **named)
        into.append(time.perf_counter() - begun)
        return found

    return wrapped


def kills(count: int, seed: int) -> None:
    """Kill, go on, compare; one line a trial."""
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        root, survived = Path(place), 0
        whole = outcome(run(root / "whole", *KILLED))
        kinds = faults.events(lambda: run(root / "counted", *KILLED))
        saving = [i for i, kind in enumerate(kinds) if kind in faults.SAVING]
        chosen = draw.sample(saving, count // 2) + draw.sample(range(len(kinds)), count - count // 2)
        print(f"{len(kinds)} events a run, {len(saving)} of them inside saving")
        for number, at in enumerate(chosen):
            folder, after = root / f"cut-{number}", draw.random() < 0.5
            died = faults.killed(lambda folder=folder: run(folder, *KILLED), at, after=after)
            same = outcome(run(folder, *KILLED)) == whole
            survived += died and same
            when, end = "after" if after else "before", "same bits" if same else "OTHER BITS"
            print(f"{number + 1:3} killed {when} event {at:4} {kinds[at]:12} {end}", flush=True)
        print(f"{survived} of {count} survived")


def outcome(folder: Path) -> tuple[str, ...]:
    """Weights, optimiser, state and metrics at the end, without what the clock says."""
    last = store.every(folder / "checkpoints")[-1]
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    kept = [{name: value for name, value in row.items() if not name.startswith("time/")} for row in rows]
    names = ("policy/model.safetensors", "optimizer.safetensors", "state.json")
    return json.dumps(kept), *(store._sha256(last / name) for name in names)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("cost", "faults"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    cost(given.rounds) if given.what == "cost" else kills(given.count, given.seed)


if __name__ == "__main__":
    main()

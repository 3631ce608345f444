"""Seconds until a command answers, and what it imports to do so.

    python -m benchmarks.startup [--peer-python PATH]     # PATH: an interpreter that has TRL, for its imports

Each line is a fresh process, pinned to a core, several times; the least time counts, as everything else only adds.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measuring import FOLDER, ONE_THREAD, ROOT, machine, middle, table, write

HEAVY = ("torch", "transformers", "datasets", "wandb", "numpy", "math_verify", "hydra")
OURS = {
    "python -c pass": ["-c", "pass"],
    "tvo --help": ["-m", "tvo_cli", "--help"],
    "tvo --version": ["-m", "tvo_cli", "--version"],
    "tvo list algorithms": ["-m", "tvo_cli", "list", "algorithms"],
    "tvo train --cfg job": ["-m", "tvo_cli", "train", "--cfg", "job"],
    "import torch": ["-c", "import torch"],
    "import of all that trains": ["-c", "import tvo_cli.experiment"],
}
TRAINING = ("trainer.steps=1", "evaluation=off", "logger=none", "logger.console=off", "trainer.threads=1")
THEIRS = {"import of TRL's GRPOTrainer": ["-c", "from trl import GRPOTrainer, GRPOConfig"]}


def seconds(python: str, words: list[str], core: str) -> tuple[float, float]:
    """Wall and CPU seconds of one process."""
    command = [*(["taskset", "-c", core] if core else []), python, *words]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, capture_output=True, cwd=ROOT, env=os.environ | ONE_THREAD)
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr.decode()[-2000:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def imported(words: list[str]) -> list[str]:
    """The heavy packages that a command of ours imports."""
    done = subprocess.run([sys.executable, "-X", "importtime", *words], capture_output=True, text=True, cwd=ROOT)
    names = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    return [name for name in HEAVY if name in names]


def commands(folder: str, peer: str) -> list[tuple[str, str, list[str]]]:
    """Name, interpreter and words of each line."""
    step = ["-m", "tvo_cli", "train", *TRAINING, f"output_dir={folder}/run", "resume=never"]
    ours = [(name, sys.executable, words) for name, words in (OURS | {"tvo train, one step": step}).items()]
    return ours + ([(name, peer, words) for name, words in THEIRS.items()] if peer else [])


def main() -> None:
    """A table and a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", default="")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--core", default="1")
    parser.add_argument("--out", type=Path, default=FOLDER / "startup.json")
    chosen = parser.parse_args()
    before, rows, record = machine(), [], {}
    with tempfile.TemporaryDirectory() as folder:
        for name, python, words in commands(folder, chosen.peer_python):
            seconds(python, words, chosen.core)  # pages of the disk come first
            times = [seconds(python, words, chosen.core) for _ in range(chosen.repeats)]
            wall, cpu = zip(*times, strict=True)
            heavy = imported(words) if words[0] == "-m" and "train" not in words[2:3] else []
            record[name] = {"wall": wall, "cpu": cpu, "imports": heavy}
            rows.append([name, f"{min(wall):.3f}", f"{middle(wall):.3f}", f"{min(cpu):.3f}", ", ".join(heavy)])
    print(table(["", "wall s, least", "wall s, median", "CPU s, least", "heavy imports"], rows))
    write(chosen.out, {"machine": before, "commands": record})


if __name__ == "__main__":
    main()

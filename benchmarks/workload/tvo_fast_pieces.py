"""`tvo train` with default products, packed rows and fused decoding on and off by turns; prints one JSON line a step.

    python -m benchmarks.workload.tvo_fast_pieces --folder W1FOLDER --work w1 -- trainer.matmul=default
    python -m benchmarks.workload.tvo_fast_pieces -- model=smollm2-135m dataset=chain_sums trainer.matmul=default

Steps of one process alternate, so that both kinds see the machine in the same state.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from benchmarks.workload import tvo_step
from benchmarks.workload.work import named
from tvo_cli.model.forward_pass.sequence_packing import ATTENTION


def alternate(rows: list[dict[str, Any]]) -> None:
    """Switch the network's attention, on which both pieces stand, before every step; time its parts."""
    collecting: Any = import_module("tvo_cli.training.rollout_collection.collect_rollouts")
    loop: Any = import_module("tvo_cli.training.training_loop")
    sample, step = collecting.sample_responses, loop.train_step

    def timed_sample(*arguments: Any, **keywords: Any) -> Any:
        begun = time.process_time()
        found = sample(*arguments, **keywords)
        rows[-1]["generation"] = time.process_time() - begun
        return found

    def timed_step(session: Any, interrupted: Any) -> Any:
        on = len(rows) % 2 == 0
        for network in session.learner.networks:
            network.set_attn_implementation(ATTENTION if on else "sdpa")
        rows.append({"pieces": on})
        begun = time.process_time()
        action = step(session, interrupted)
        rows[-1]["step"] = time.process_time() - begun
        print(json.dumps(rows[-1]), flush=True)
        return action

    collecting.sample_responses, loop.train_step = timed_sample, timed_step


def main() -> None:
    """One run, whose overrides stand after --."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--work", default="w1")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("words", nargs="*")
    chosen = parser.parse_args()
    from tvo_cli import config, experiment

    torch.set_num_threads(1)
    alternate([])
    words = [*chosen.words, f"trainer.steps={chosen.steps}"]
    if chosen.folder:
        words = tvo_step.command(named(chosen.work), chosen.folder, chosen.steps, chosen.words)
    with tempfile.TemporaryDirectory() as place:
        experiment.train(config.compose([*words, f"output_dir={place}"]))


if __name__ == "__main__":
    main()

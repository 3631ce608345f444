"""Generation with waiting rows admitted to the running batch, and batch after batch, by turns; one JSON line a pair.

    python -m benchmarks.workload.tvo_refill                                           # W1's network, random weights
    python -m benchmarks.workload.tvo_refill --model MODELFOLDER --prompts 8 --rows 8 --pairs 3

Lengths are log-uniform from --shortest to --longest, the same in every rollout. Processor seconds of one process, one
thread: both kinds see the machine in the same state. Both must sample the same tokens, or it ends with an error.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.workload.forced_lengths import force_lengths
from benchmarks.workload.work import WORKS, build, questions


def timed(call: Callable[[], Any], *, joins: bool) -> tuple[float, Any]:
    """Processor seconds of a rollout, and the rollout."""
    admission: Any = import_module("tvo_cli.rollout.decoding.admission")
    allowed = admission.has_slots
    with patch.object(admission, "has_slots", lambda network: joins and allowed(network)):
        begun = time.process_time()
        found = call()
        return time.process_time() - begun, found


def log_uniform(key: str, sample: int, shortest: int, longest: int) -> int:
    """A response's length, from its name alone."""
    share = random.Random(f"{key} {sample}").random()
    return round(shortest * math.exp(share * math.log(longest / shortest)))


def rollout(chosen: argparse.Namespace, folder: Path) -> tuple[Any, Callable[[], Any]]:
    """A network, and what samples one rollout of it."""
    from tvo_cli.model import load_policy
    from tvo_cli.rollout import SamplingParams, generate

    node = {"path": str(folder), "dtype": "float32", "attention": "sdpa", "gradient_checkpointing": False}
    policy = load_policy({**node, "revision": None}, device="cpu")
    prompts = questions(chosen.prompts, chosen.prompt_tokens)
    keys = [f"k{index}" for index in range(len(prompts))]
    sampling = replace(SamplingParams(chosen.samples, chosen.longest), batch_size=chosen.rows)
    force_lengths(lambda rows: [log_uniform(*row, chosen.shortest, chosen.longest) for row in rows], policy.end_ids)
    return policy.network, lambda: generate(policy, prompts, keys, sampling, seed=0)


def measure(chosen: argparse.Namespace, folder: Path) -> None:
    """Pairs by turns, after one rollout of each kind."""
    from tvo_cli.rollout.decoding.onednn import onednn_matmul

    (network, sample), ratios = rollout(chosen, folder), list[float]()
    with onednn_matmul(network, products=chosen.products == "auto"):
        for pair in range(chosen.pairs + 1):
            seconds, found = zip(*(timed(sample, joins=joins) for joins in (True, False)), strict=True)
            if found[0].texts != found[1].texts:
                raise SystemExit("the two sampled different tokens")
            if pair:
                ratios.append(seconds[1] / seconds[0])
                print(json.dumps({"admitted": seconds[0], "batches": seconds[1], "ratio": ratios[-1]}), flush=True)
    print(json.dumps({"ratio": statistics.median(ratios), "least": min(ratios), "most": max(ratios)}))


def main() -> None:
    """Of a folder in hub format, or of W1's network."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path)
    parser.add_argument("--products", choices=("auto", "default"), default="auto")
    for name, default in SIZES.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        measure(chosen, chosen.model or build(WORKS["w1skew"], Path(place), 1) / "model")


SIZES = {"prompts": 64, "samples": 4, "rows": 64, "prompt_tokens": 32, "shortest": 8, "longest": 128, "pairs": 6}

if __name__ == "__main__":
    main()

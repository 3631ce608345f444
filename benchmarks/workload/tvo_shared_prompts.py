"""Forward and backward of one micro-batch, prompts shared and not by turns; prints one JSON line a turn.

    python -m benchmarks.workload.tvo_shared_prompts FOLDER --prompt-tokens 60
    python -m benchmarks.workload.tvo_shared_prompts FOLDER --prompt-tokens 60 --pairs 1 --only plain

FOLDER holds a model; tokens are random. Layers are recomputed unless --keep-layers says no. Turns of one process
alternate, so that both kinds see the machine in the same state; seconds are the processor's. `--only` measures one
kind, so that the peak of the process (VmHWM) is that kind's.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor

from tvo_cli.model import Policy, load_policy
from tvo_cli.model.forward_pass import shared_prefix
from tvo_cli.rollout.decoding.onednn import onednn_matmul


def micro_batch(chosen: argparse.Namespace, vocabulary: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Prompts and responses of one length, without padding."""
    rng = torch.Generator().manual_seed(0)
    prompts = torch.randint(3, vocabulary, (chosen.prompts, chosen.prompt_tokens), generator=rng)
    responses = torch.randint(3, vocabulary, (chosen.prompts * chosen.samples, chosen.response_tokens), generator=rng)
    ids = prompts.repeat_interleave(chosen.samples, 0)
    return ids, torch.ones_like(ids, dtype=torch.bool), responses, torch.ones_like(responses, dtype=torch.bool)


def turn(policy: Policy, columns: tuple[Tensor, Tensor, Tensor, Tensor], shared: bool) -> tuple[float, Tensor]:
    """Processor seconds of a forward and its backward, and the log-probabilities."""
    policy.network.zero_grad(set_to_none=True)
    with mock.patch.object(shared_prefix, "is_worth_sharing", lambda *_: shared):
        begun = time.process_time()
        logp = policy.score(*columns, temperature=1.0).logp
        logp.mean().backward()
    return time.process_time() - begun, logp.detach()


def turns(policy: Policy, chosen: argparse.Namespace) -> Iterator[dict[str, object]]:
    """A warm-up, then pairs."""
    columns = micro_batch(chosen, int(policy.network.config.vocab_size))
    kinds = [kind == "shared" for kind in ("shared", "plain") if chosen.only in (None, kind)]
    if True in kinds and not shared_prefix.is_worth_sharing(
        policy.network.base_model, columns[0], columns[1], columns[3]
    ):
        raise SystemExit("prompts are not shared here")
    for pair in range(chosen.pairs + 1):
        found = {shared: turn(policy, columns, shared) for shared in kinds}
        row = {"shared" if shared else "plain": round(seconds, 3) for shared, (seconds, _) in found.items()}
        if len(kinds) == 2:
            row |= {"ratio": round(row["plain"] / row["shared"], 3)}
            row |= {"largest_difference": float((found[True][1] - found[False][1]).abs().max())}
        yield {"pair": pair, "warm_up": pair == 0, **row, "peak_mb": peak_mb()}


def peak_mb() -> float | None:
    """Resident memory of this process at most so far, where Linux says it."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.is_file() else None
    return round(int(found[1]) / 1024, 1) if found else None


def main() -> None:
    """One process, one thread."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    for name, default in (("prompts", 4), ("samples", 8), ("prompt-tokens", 60), ("response-tokens", 16), ("pairs", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--keep-layers", action="store_true")
    parser.add_argument("--default-products", action="store_true")
    parser.add_argument("--only", choices=("shared", "plain"))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    node = {"path": str(chosen.folder), "dtype": "float32", "attention": "sdpa", "revision": None}
    policy = load_policy(node | {"gradient_checkpointing": not chosen.keep_layers}, device="cpu")
    with onednn_matmul(policy.network, products=not chosen.default_products) as on:
        print(json.dumps({"onednn": on, "loaded_mb": peak_mb(), **vars(chosen), "folder": chosen.folder.name}))
        for row in turns(policy, chosen):
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()

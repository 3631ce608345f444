"""Our side of benchmarks.evaluation: `tvo eval` on the problems, from nothing; prints one JSON line."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch


@contextmanager
def noted_batches() -> Iterator[list[tuple[Any, Sequence[str]]]]:
    """Inside: a list that gets our engine and the prompts of each of its batches."""
    from tvo_cli.rollout.engines.engine import LocalEngine

    found, call = list[tuple[Any, Sequence[str]]](), LocalEngine.__call__

    def calling(self: LocalEngine, prompts: Sequence[str], *given: Any, **more: Any) -> Any:
        found.append((self, prompts))
        return call(self, prompts, *given, **more)

    LocalEngine.__call__ = calling  # type: ignore[method-assign]
    try:
        yield found
    finally:
        LocalEngine.__call__ = call  # type: ignore[method-assign]


def main(folder: Path, samples: int, tokens: int, temperature: float, stop: str) -> None:
    """Loading, generation, grading and files are all inside the time."""
    from tvo_cli import config
    from tvo_cli.experiment import evaluate

    out, sys.stdout = sys.stdout, sys.stderr
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place, noted_batches() as batches:
        words = [f"output_dir={place}/run", f"model.path={folder / 'model'}", f"path={folder / 'problems.jsonl'}"]
        words += ["evaluation=[jsonl]", "evaluation.suites.jsonl.dataset.suffix=''", "protocol=plain", "threads=1"]
        words += [f"protocol.max_tokens={tokens}", f"decoding.samples={samples}", f"decoding.temperature={temperature}"]
        chosen = config.compose([*words, "rollout.batch_size=512", "reward.workers=1"], "eval")
        chosen.protocol.stop = [stop] if stop else []
        cpu, wall = time.process_time(), time.perf_counter()
        summary = evaluate(chosen, lambda step: None)
        spent = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    suite, lengths = summary["suites"]["jsonl"], [n for engine, prompts in batches for n in engine.lengths(prompts)]
    read = {"prompt_tokens": sum(lengths) / len(lengths), "tokens": suite["tokens"]}
    print(json.dumps(spent | read | {"score": (suite["avg"] or suite["greedy"])["mean"]}), file=out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])

"""Our side of benchmarks.evaluation: `tvo eval` on the problems, from nothing; prints one JSON line."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import torch


def main(folder: Path, samples: int, tokens: int, temperature: float, stop: str) -> None:
    """Loading, generation, grading and files are all inside the time."""
    from tvo_cli import config
    from tvo_cli.experiment import evaluate

    out, sys.stdout = sys.stdout, sys.stderr
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        words = [f"output_dir={place}/run", f"model.path={folder / 'model'}", f"path={folder / 'problems.jsonl'}"]
        words += ["evaluation=[jsonl]", "evaluation.suites.jsonl.dataset.suffix=''", "protocol=plain", "threads=1"]
        words += [f"protocol.max_tokens={tokens}", f"decoding.samples={samples}", f"decoding.temperature={temperature}"]
        chosen = config.compose([*words, "rollout.batch_size=512", "reward.workers=1"], "eval")
        chosen.protocol.stop = [stop] if stop else []
        cpu, wall = time.process_time(), time.perf_counter()
        summary = evaluate(chosen, lambda step: None)
        spent = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    suite = summary["suites"]["jsonl"]
    print(json.dumps(spent | {"tokens": suite["tokens"], "score": (suite["avg"] or suite["greedy"])["mean"]}), file=out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])

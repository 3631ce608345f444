"""lm-evaluation-harness on the problems of benchmarks.evaluation; one JSON line. Run by an interpreter that has it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch

TASK = "tvo_problems"
BATCH = 64
BOXED = {"function": "regex", "regex_pattern": r"\\boxed\{(-?\d+)\}"}  # as few-shot sums are answered


def task(problems: Path, samples: int, tokens: int, temperature: float, stop: str) -> dict[str, object]:
    """The harness's description of the same work."""
    sampling = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    return {
        "task": TASK,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(problems)}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "repeats": samples,
        "generation_kwargs": {"until": [stop] if stop else [], "max_gen_toks": tokens, **sampling},
        "filter_list": [{"name": "first", "filter": [BOXED, {"function": "take_first"}]}],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }


def main(folder: Path, samples: int, tokens: int, temperature: float, stop: str) -> None:
    """Its time begins after the model is loaded."""
    out, sys.stdout = sys.stdout, sys.stderr
    torch.set_num_threads(1)
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager
    from transformers import PreTrainedTokenizerFast

    described = task(folder / "problems.jsonl", samples, tokens, temperature, stop)
    (folder / f"{TASK}.yaml").write_text(json.dumps(described))
    place = str(folder / "model")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(place)  # AutoTokenizer reads another one into a Qwen2 folder
    model = HFLM(pretrained=place, tokenizer=tokenizer, device="cpu", dtype="float32", batch_size=BATCH, max_length=512)
    known = TaskManager(include_path=str(folder), include_defaults=False)
    cpu, wall = time.process_time(), time.perf_counter()
    found = lm_eval.simple_evaluate(model=model, tasks=[TASK], task_manager=known, bootstrap_iters=0)
    spent = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    print(json.dumps(spent | {"score": found["results"][TASK]["exact_match,first"]}), file=out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])

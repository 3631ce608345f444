"""lm-evaluation-harness on the problems of benchmarks.evaluation; one JSON line. Run by an interpreter that has it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

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


def context_of(model: Path) -> int | None:
    """The tokens that a model reads at most, as its config has it and our side takes it; None: the harness decides.

    The harness cuts a prompt from the left that leaves too little of it for an answer.
    """
    described = json.loads((model / "config.json").read_text(encoding="utf-8"))
    return described.get("text_config", described).get("max_position_embeddings")


def note_prompt_tokens(model: Any) -> list[int]:
    """A list that gets the tokens of each prompt that the harness gives its model from now on, without padding."""
    found, encode = [], model.tok_batch_encode

    def encoding(*given: Any, **more: Any) -> Any:
        ids, mask = encode(*given, **more)
        found.extend(mask.sum(1).tolist())
        return ids, mask

    model.tok_batch_encode = encoding
    return found


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
    sizes = {"batch_size": BATCH, "max_length": context_of(folder / "model")}
    model = HFLM(pretrained=place, tokenizer=tokenizer, device="cpu", dtype="float32", **sizes)
    prompts = note_prompt_tokens(model)
    known = TaskManager(include_path=str(folder), include_defaults=False)
    cpu, wall = time.process_time(), time.perf_counter()
    found = lm_eval.simple_evaluate(model=model, tasks=[TASK], task_manager=known, bootstrap_iters=0)
    spent = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    read = {"prompt_tokens": sum(prompts) / len(prompts)}
    print(json.dumps(spent | read | {"score": found["results"][TASK]["exact_match,first"]}), file=out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])

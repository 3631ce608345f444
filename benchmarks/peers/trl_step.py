"""TRL's GRPOTrainer on one of the works, timed step by step; prints one JSON line. Run by an interpreter that has TRL.

Its own defaults, but for what would make the work unequal: gradient checkpointing is off, bf16 too unless --precision
asks for it (both are on in TRL; off is faster on a CPU), no reports, no checkpoints. A step is one rollout with all its
updates.
"""

from __future__ import annotations

import json
import logging
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import torch

from benchmarks.workload import side
from benchmarks.workload.stopwatch import Stopwatch, memory, resident
from benchmarks.workload.work import PLAIN, Work, lengths, reward


def settings(work: Work, steps: int, micro_batch: int, precision: str, *, gpu: bool) -> dict[str, Any]:
    """Arguments of GRPOConfig, its folder left out."""
    return {
        "use_cpu": not gpu,
        "bf16": precision == "bfloat16",
        "gradient_checkpointing": False,
        "per_device_train_batch_size": micro_batch,
        "gradient_accumulation_steps": work.rows // micro_batch,
        "num_generations": work.samples,
        "max_completion_length": work.new_tokens,
        "max_steps": steps * work.epochs,
        "num_iterations": work.epochs,
        "learning_rate": 1e-6,
        "beta": 0.0,
        "temperature": 1.0,
        "report_to": [],
        "save_strategy": "no",
        "logging_steps": 1,
        "disable_tqdm": True,
        "seed": 0,
        "shuffle_dataset": False,
    }


def of_vllm(work: Work) -> dict[str, Any]:
    """Further arguments of GRPOConfig: responses from vLLM in the same process, each to its full length."""
    return {
        "use_vllm": True,
        "vllm_mode": "colocate",
        "vllm_max_model_length": work.prompt_tokens + work.new_tokens + 8,
        "generation_kwargs": {"ignore_eos": True},
    }


def run(
    work: Work,
    folder: Path,
    *,
    steps: int,
    warm_up: int,
    clock: str,
    micro_batch: int,
    precision: str = "float32",
    vllm: bool = False,
    operations: bool = False,
) -> dict[str, Any]:
    """Train and measure."""
    imported = _seconds_of_imports()
    logging.disable(logging.WARNING)
    chosen = settings(work, steps + warm_up, micro_batch or work.rows, precision, gpu=clock == "gpu")
    chosen |= of_vllm(work) if vllm else {}
    with tempfile.TemporaryDirectory() as place:
        trainer = _trainer(folder, chosen | {"output_dir": place})
        if work.shortest:
            _skew(trainer, work)
        base, stopwatch = resident(), side.stopwatch(work, clock, steps + warm_up, operations)
        _watch(trainer, stopwatch, work)
        stopwatch.begin()
        trainer.train()
    found = {"side": "trl", "rows": stopwatch.rows[warm_up:], "import_s": imported} | memory(base)
    return found | side.profiled(stopwatch) | {"micro_batch": micro_batch or work.rows}


def _seconds_of_imports() -> float:
    begun = time.perf_counter()
    import datasets
    import transformers
    import trl

    del datasets, transformers, trl
    return time.perf_counter() - begun


def _trainer(folder: Path, chosen: dict[str, Any]) -> Any:
    """The GRPOTrainer of a workload's model and problems."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
    from trl import GRPOConfig, GRPOTrainer

    rows = [json.loads(line) for line in (folder / "problems.jsonl").read_text(encoding="utf-8").splitlines()]
    return GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32),
        reward_funcs=rewarded,
        args=GRPOConfig(**chosen),
        train_dataset=Dataset.from_dict({"prompt": [row["question"] for row in rows]}),
        processing_class=PreTrainedTokenizerFast.from_pretrained(folder / "model", padding_side="left"),
    )


def rewarded(completions: list[str], **_: Any) -> list[float]:
    """The reward both sides are given."""
    return [reward(text) for text in completions]


def _watch(trainer: Any, stopwatch: Stopwatch, work: Work) -> None:
    """Time the trainer's own functions."""
    generated: list[int] = []
    single, scored = trainer._generate_single_turn, trainer._get_per_token_logps_and_entropies

    def turn(*arguments: Any, **keywords: Any) -> Any:
        found = single(*arguments, **keywords)
        generated.append(sum(map(len, found[0])))
        return found

    def log_probs(*arguments: Any, **keywords: Any) -> Any:
        name = "forward" if torch.is_grad_enabled() else "log_probs"
        return stopwatch.wrapped(name, scored)(*arguments, **keywords)

    trainer._generate_single_turn, trainer._get_per_token_logps_and_entropies = turn, log_probs
    trainer._generate = stopwatch.wrapped("generation", trainer._generate)
    inputs = trainer._generate_and_score_completions
    trainer._generate_and_score_completions = stopwatch.wrapped("inputs", inputs)
    trainer.training_step = stopwatch.wrapped("training", trainer.training_step)
    trainer.add_callback(_step_clock(stopwatch, work, generated))


def _step_clock(stopwatch: Stopwatch, work: Work, generated: list[int]) -> Any:
    """A callback that times the optimiser and ends a step after its updates; `generated`: tokens of each turn."""
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):
        """The optimiser's time, and the end of a step."""

        updates = 0

        def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
            self.begun = stopwatch.now()

        def on_optimizer_step(self, *_: Any, **__: Any) -> None:
            stopwatch.add("optimizer", stopwatch.now() - self.begun)

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.updates += 1
            if self.updates % work.epochs == 0:
                used = stopwatch.seconds
                update = used["training"] - used.get("inputs", 0.0) + used.get("optimizer", 0.0)
                stopwatch.end_step(tokens=sum(generated), update=update)
                generated.clear()

    return Watcher()


def _skew(trainer: Any, work: Work) -> None:
    """Give every response its length through a logits processor of the public interface."""
    from transformers import LogitsProcessor, LogitsProcessorList

    generate, calls = trainer.model.generate, iter(range(1 << 30))

    class Ends(LogitsProcessor):
        """The end token where a row must end, and nowhere else."""

        def __init__(self) -> None:
            self.last, self.place = torch.tensor(lengths(work, next(calls))) - 1, 0

        def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            end = scores.shape[-1] - 1
            scores[:, PLAIN] = torch.logaddexp(scores[:, PLAIN], scores[:, end])
            scores[:, end] = -torch.inf
            ending = self.last == self.place
            scores[ending], scores[ending, end] = -torch.inf, 0.0
            self.place += 1
            return scores

    def skewed(*arguments: Any, **keywords: Any) -> Any:
        return generate(*arguments, **keywords, logits_processor=LogitsProcessorList([Ends()]))

    trainer.model.generate = skewed


def main() -> None:
    """TRL's side, with its responses a forward pass."""
    warnings.filterwarnings("ignore")
    parser = side.command_line()
    parser.add_argument("--micro-batch", type=int, default=0, help="0: the whole batch, which is TRL's fastest here")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--vllm", action="store_true", help="sample with vLLM in the same process")
    side.main(parser, run)


if __name__ == "__main__":
    main()

"""The harness's side of an evaluation, with a stand-in of it: it reads the prompts that our side reads, whole."""

from __future__ import annotations

import io
import json
import shutil
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks.workload import tvo_eval
from tvo_cli.model.model_files.model_location import WEIGHTS

lm_eval_side: Any = import_module("benchmarks.peers.lm_eval_side")  # for another interpreter, not under mypy
SAMPLES, TOKENS = 2, 4


class StandInHFLM:
    """Cuts a prompt from the left where it leaves too little of `max_length` for an answer, as lm-eval 0.4.13 does."""

    def __init__(self, **options: Any) -> None:
        self.tokenizer, self.max_length = options["tokenizer"], options["max_length"]

    def tok_batch_encode(self, strings: list[str], left_truncate_len: int) -> tuple[torch.Tensor, torch.Tensor]:
        self.tokenizer.padding_side = "left"
        found = self.tokenizer(strings, padding="longest", return_tensors="pt")
        return found["input_ids"][:, -left_truncate_len:], found["attention_mask"][:, -left_truncate_len:]


def simple_evaluate(model: StandInHFLM, tasks: list[str], task_manager: Any, bootstrap_iters: int) -> Any:
    task = json.loads((Path(task_manager.include_path) / f"{tasks[0]}.yaml").read_text())
    rows = Path(task["dataset_kwargs"]["data_files"]["test"]).read_text().splitlines()
    asked = [json.loads(row)["question"] for row in rows for _ in range(task["repeats"])]
    most = model.max_length - task["generation_kwargs"]["max_gen_toks"]
    for begin in range(0, len(asked), 3):
        model.tok_batch_encode(asked[begin : begin + 3], left_truncate_len=most)
    return {"results": {tasks[0]: {"exact_match,first": 0.5}}}


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("lm_eval", "lm_eval.models", "lm_eval.models.huggingface", "lm_eval.tasks")
    modules = {name: ModuleType(name) for name in names}
    vars(modules["lm_eval"]).update(simple_evaluate=simple_evaluate)
    vars(modules["lm_eval.models.huggingface"]).update(HFLM=StandInHFLM)
    vars(modules["lm_eval.tasks"]).update(TaskManager=SimpleNamespace)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Three sums of 5, 7 and 603 tokens, the begin token among them, for a model that reads 1,024."""
    folder = shutil.copytree(WEIGHTS / "tiny", tmp_path / "model")
    described = json.loads((folder / "config.json").read_text()) | {"max_position_embeddings": 1024}
    (folder / "config.json").write_text(json.dumps(described))
    questions = ["1 + 1 =", "7 + 3 * 2 =", "1" + " + 1" * 300 + " ="]
    rows = [{"question": question, "answer": "2"} for question in questions]
    (tmp_path / "problems.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def printed(side: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out := io.StringIO())
        side.main(folder, SAMPLES, TOKENS, 1.0, "\n")
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_both_sides_read_whole_prompts_and_say_how_long_they_were(
    harness: None, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = printed(lm_eval_side, work, monkeypatch)
    assert theirs["score"] == 0.5 and theirs["prompt_tokens"] == (5 + 7 + 603) / 3
    ours = printed(tvo_eval, work, monkeypatch)
    assert ours["prompt_tokens"] == theirs["prompt_tokens"]


@pytest.mark.parametrize(
    ("described", "context"),
    [
        ({"max_position_embeddings": 8192}, 8192),
        ({"text_config": {"max_position_embeddings": 4096}}, 4096),
        ({"model_type": "mamba"}, None),
    ],
)
def test_the_context_is_the_models_own(tmp_path: Path, described: dict[str, Any], context: int | None) -> None:
    (tmp_path / "config.json").write_text(json.dumps(described))
    assert lm_eval_side.context_of(tmp_path) == context

"""What a step's process is told and what is kept of it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from benchmarks.gpu import steps
from benchmarks.gpu.part_process import Ended
from benchmarks.workload.work import Work

LAST = {"step": 3.0, "generation": 2.0, "log_probs": 0.0, "update": 1.0, "optimizer": 0.25, "tokens": 1000.0}
ALL = {"rows": [LAST, LAST], "gpu_mb": 500.0, "base_mb": 1.0, "peak_mb": 2.0, "import_s": 1.0}


def test_a_step_s_process_that_died_leaves_the_steps_that_it_finished() -> None:
    lines = [{"row": LAST | {"step": seconds}, "gpu_mb": 7.0} for seconds in (9.0, 3.0, 4.0)]
    outcome, found = steps.found_in(Ended(lines, None, "", 60.0), warm_up=1)
    assert outcome == {"status": "in part", "detail": "2 steps, then timed out: ended after 60 s"}
    assert found["step"] == [3.0, 4.0] and found["gpu_mb"] == 7.0
    assert steps.found_in(Ended(lines[:1], 1, "Error: x", 60.0), warm_up=1) == (
        {"status": "failed", "detail": "Error: x"}, {},
    )  # fmt: skip
    assert steps.found_in(Ended([*lines, ALL], 0, "", 60.0), warm_up=1)[1]["step"] == [3.0, 3.0]


def test_trl_is_given_the_same_work() -> None:
    trl_step: Any = import_module("benchmarks.peers.trl_step")  # for another interpreter, not under mypy
    work = Work("w", 16, 8, 128, 256)
    found = trl_step.settings(work, 3, 16, "bfloat16", gpu=True)
    assert (found["bf16"], found["use_cpu"], found["gradient_checkpointing"]) == (True, False, False)
    assert found["per_device_train_batch_size"] * found["gradient_accumulation_steps"] == work.rows
    assert (found["num_generations"], found["max_completion_length"], found["max_steps"]) == (8, 256, 3)
    assert not trl_step.settings(work, 3, 16, "float32", gpu=False)["bf16"]
    assert trl_step.of_vllm(work)["generation_kwargs"] == {"ignore_eos": True}
    assert trl_step.of_vllm(work)["vllm_max_model_length"] >= 128 + 256

"""A run on a GPU plans for the longest prompt, as the dry run of it does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.memory import networks
from tvo_cli import config
from tvo_cli.experiment import device_memory
from tvo_cli.memory import planned_run as planning
from tvo_cli.memory.longest_prompt import longest_prompt

CUDA = torch.device("cuda")
EAGER = (
    *("model.attention=eager", "trainer.device=cuda", "trainer.precision=bfloat16", "output_dir=x"),
    *("rollout.prompts=32", "rollout.samples=4", "rollout.minibatches=1", "rollout.max_tokens=1024"),
)


def prompts_are_not_read(chosen: Any) -> Any:
    raise AssertionError("on a CPU no bound depends on the prompts")


@pytest.mark.parametrize("words", [("+dataset.max_prompt_tokens=1024",), ()])
def test_bounds_of_a_run_are_those_of_its_dry_run(monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    """Eager attention holds its weights, which grow with the square of a row's length."""
    shape, chosen = networks.qwen2_shape("0.5b"), config.compose([*EAGER, *words])
    monkeypatch.setattr(planning, "_gpu_bytes", lambda device: 40e9)
    monkeypatch.setattr(device_memory, "shape_of_network", lambda network: shape)
    policy: Any = SimpleNamespace(parameters=lambda: iter([SimpleNamespace(device=CUDA)]), network=None)
    dry = planning.planned_run(chosen, shape, longest_prompt(chosen).tokens, CUDA)
    assert device_memory.plan_of_run(chosen, policy) == dry
    assert dry.bounds.microbatch_tokens < planning.planned_run(chosen, shape, 0, CUDA).bounds.microbatch_tokens


def test_a_run_on_a_cpu_reads_no_prompts_for_its_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_memory, "longest_prompt", prompts_are_not_read)
    monkeypatch.setattr(device_memory, "shape_of_network", lambda network: networks.smollm2_shape())
    on_cpu = SimpleNamespace(device=torch.device("cpu"))
    policy: Any = SimpleNamespace(parameters=lambda: iter([on_cpu]), network=None)
    assert device_memory.plan_of_run(config.compose(["output_dir=x"]), policy).bounds.microbatch_tokens == 2048

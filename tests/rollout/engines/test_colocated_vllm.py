"""vLLM in the trainer's own process: with which seeds it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from tests.rollout.engines.test_completion_service import SAMPLED, TOKENS
from tvo_cli.rollout.decoding.token_sampling import SamplingParams
from tvo_cli.rollout.engines.colocated_vllm import ColocatedVllm
from tvo_cli.rollout.engines.completion_service import request_seed


def test_vllm_in_the_process_is_asked_with_the_same_seeds() -> None:
    seeds = list[int]()

    def generate(prompts: Sequence[Any], wanted: Sequence[SimpleNamespace], use_tqdm: bool) -> list[Any]:
        seeds.extend(one.seed for one in wanted)
        return []

    vllm = SimpleNamespace(SamplingParams=SimpleNamespace)
    engine = ColocatedVllm(vllm, SimpleNamespace(generate=generate), sleeps=False)
    engine.complete([[1]] * 3, "aba", SamplingParams(2, 4), 9, TOKENS, lambda row, answer: None)
    assert seeds == [request_seed(9, *one) for one in SAMPLED]

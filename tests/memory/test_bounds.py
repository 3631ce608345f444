"""What bounds a phase: the cache's bytes lower the rows at once, a GPU's memory the positions of a forward."""

from __future__ import annotations

import pytest

from tests.memory import networks
from tests.memory.test_memory_plan import request_of
from tvo_cli import config
from tvo_cli.memory.bounds import memory_bounds
from tvo_cli.memory.kv_cache_size import AHEAD, cache_bytes_per_token
from tvo_cli.memory.memory_plan import plan_memory
from tvo_cli.memory.network_shape import shape_of_network
from tvo_cli.model import load_policy
from tvo_cli.rollout import SamplingParams, generate
from tvo_cli.rollout.decoding.decoding_state import DecodingState

GPU = ("trainer.device=cuda", "trainer.precision=bfloat16")


def test_fewer_rows_at_once_where_the_cache_is_small_and_the_same_responses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where some wait beside a prompt of which not all samples run, which takes its tokens too."""
    policy = load_policy(config.compose(["output_dir=x"]).model, device="cpu")
    prompts, sizes, step = ["7 + 3 ="] * 6, list[int](), DecodingState.step
    monkeypatch.setattr(
        DecodingState, "step", lambda self, *rest: (sizes.append(len(self.starts)), step(self, *rest))[1]
    )
    each = cache_bytes_per_token(shape_of_network(policy.network), itemsize=4, autocast=False)
    prompt = policy.encode(prompts)[0].shape[1]
    row = each * (prompt + 8 + AHEAD)
    texts = []
    for size, most in ((0.0, 12), (12.0 * row, 12), (4.0 * row + each * prompt, 4), (4.0 * row, 3)):
        sizes.clear()
        texts.append(generate(policy, prompts, list("abcdef"), SamplingParams(2, 8, cache_bytes=size), seed=0).texts)
        assert max(sizes) == most
    assert len(set(texts)) == 1


def test_on_a_gpu_auto_follows_from_its_whole_memory() -> None:
    request = request_of(networks.qwen2_shape("1.5b"), *GPU)
    chosen = config.compose(["model=custom", "model.path=x", *GPU, "output_dir=x"])
    small, large = (memory_bounds(chosen, request, size) for size in (40e9, 80e9))
    left = 0.9 * 80e9 - sum(plan_memory(request).standing.values())
    assert large.cache_bytes == pytest.approx(left / 2) and large.microbatch_tokens > small.microbatch_tokens > 0
    chosen.rollout.cache_gb, chosen.trainer.microbatch_tokens = 3, 512
    assert memory_bounds(chosen, request, 80e9) == (3e9, 512)


def test_on_a_cpu_auto_is_a_cache_of_four_gigabytes_and_2048_positions_for_a_large_network() -> None:
    chosen = config.compose(["output_dir=x"])
    assert memory_bounds(chosen, request_of(networks.smollm2_shape()), None) == (4e9, 2048)
    assert memory_bounds(chosen, request_of(shape_of_network(networks.small_llama())), None) == (4e9, 0)

"""Faster products while decoding: accurate, undone afterwards, and without a change to what is said."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from tests.gradients import gradient, gradients
from tests.model.conftest import SMALL, architectures
from tests.rollout.conftest import PROMPTS, SAMPLING
from tests.slow_cases import mostly_slow
from tvo_cli.model import Policy
from tvo_cli.model.forward_pass import sequence_packing
from tvo_cli.rollout import generate
from tvo_cli.rollout.decoding import fused_decode as rollout_joined
from tvo_cli.rollout.decoding import onednn
from tvo_cli.rollout.decoding.fused_decode import fused_decoder
from tvo_cli.rollout.decoding.kv_cache import PADDED_TO
from tvo_cli.rollout.decoding.onednn import onednn_attention, onednn_matmul
from tvo_cli.rollout.decoding.running_batch import rows_to_keep
from tvo_cli.types import Rollout


def said(policy: Policy) -> Rollout:
    return generate(policy, PROMPTS, [f"k{i}" for i in range(len(PROMPTS))], SAMPLING, seed=3)


def test_what_is_said_stays_and_settings_come_back(policy: Policy, quick_anywhere: None) -> None:
    plain = said(policy)
    with onednn_matmul(policy.network) as on:
        quick = said(policy)
        inside = torch.get_float32_matmul_precision()
    assert on and inside == onednn.PRECISION
    assert quick.texts == plain.texts
    torch.testing.assert_close(quick.logp, plain.logp, rtol=0, atol=1e-4)
    assert torch.get_float32_matmul_precision() == "highest"
    assert policy.network.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("name", mostly_slow(architectures(), 2))
@pytest.mark.parametrize("padded", [True, False])
def test_every_architecture_says_the_same_over_even_rooms(
    policy: Policy, quick_anywhere: None, name: str, padded: bool
) -> None:
    """Over the end of two rooms, with rows that end early; prompts of four lengths, or of one."""
    torch.manual_seed(0)
    network = architectures()[name]().float().eval()
    tokenizer = copy.copy(policy.tokenizer)
    small = Policy(network, tokenizer, frozenset(range(3)), policy.pad_id)
    prompts = PROMPTS if padded else PROMPTS[:1] * 4
    long = replace(SAMPLING, samples=6, max_tokens=2 * PADDED_TO + 3)

    def tell() -> Rollout:
        return generate(small, prompts, [f"k{i}" for i in range(4)], long, seed=3)

    plain = tell()
    with onednn_matmul(network) as on:
        quick = tell()
        assert (fused_decoder(small) is not None) == (on and name == "qwen2"), (
            "the others have scales, caps or other layers"
        )
    assert on == (network.config._attn_implementation == "sdpa")
    assert torch.equal(quick.response_ids, plain.response_ids)
    torch.testing.assert_close(quick.logp, plain.logp, rtol=0, atol=1e-4)
    assert len(set(plain.mask.sum(1).tolist())) > 3 and int(plain.mask.sum(1).max()) > PADDED_TO


def test_a_step_of_joined_matrices_follows_the_weights(policy: Policy, quick_anywhere: None) -> None:
    """It is checked once a network and joined anew for every rollout: the next one must speak with new weights."""
    torch.manual_seed(0)
    network = architectures()["qwen2"]().float().eval()
    small = Policy(network, copy.copy(policy.tokenizer), frozenset(range(3)), policy.pad_id)

    def tell() -> Rollout:
        return generate(small, PROMPTS, [f"k{i}" for i in range(4)], SAMPLING, seed=3)

    with onednn_matmul(network) as on:
        assert on and fused_decoder(small) is not None
        before = tell()
        with torch.no_grad():
            network.base_model.layers[1].mlp.up_proj.weight.mul_(3.0)
        after = tell()
    assert not torch.equal(before.logp, after.logp)
    torch.testing.assert_close(after.logp, tell().logp, rtol=0, atol=1e-4)


def test_biases_that_were_zero_when_it_was_checked_are_added_later(policy: Policy, quick_anywhere: None) -> None:
    """A fresh network's are: the check cannot see them, so that they must be there by construction."""
    torch.manual_seed(0)
    network = LlamaForCausalLM(LlamaConfig(**SMALL, mlp_bias=True, attention_bias=True)).eval()
    small = Policy(network, copy.copy(policy.tokenizer), frozenset(range(3)), policy.pad_id)

    def tell() -> Tensor:
        return generate(small, PROMPTS, [f"k{i}" for i in range(4)], SAMPLING, seed=3).logp

    with onednn_matmul(network):
        assert fused_decoder(small) is not None
        with torch.no_grad():
            for name, value in network.named_parameters():
                if name.endswith("bias"):
                    value.normal_()
        quick = tell()
    torch.testing.assert_close(quick, tell(), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "network",
    [
        lambda: MistralForCausalLM(MistralConfig(**SMALL, sliding_window=4096)),
        lambda: Qwen2ForCausalLM(Qwen2Config(**SMALL, use_sliding_window=True, sliding_window=32, max_window_layers=1)),
    ],
)
def test_windows_longer_than_the_check_are_not_overlooked(
    policy: Policy, quick_anywhere: None, network: Callable[[], PreTrainedModel]
) -> None:
    small = Policy(network().eval(), policy.tokenizer, frozenset({2}), policy.pad_id)
    with onednn_matmul(small.network) as on:
        assert on and fused_decoder(small) is None


def test_a_large_network_is_not_copied(policy: Policy, quick_anywhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Policy(architectures()["qwen2"]().eval(), policy.tokenizer, frozenset({2}), policy.pad_id)
    monkeypatch.setattr(rollout_joined, "LARGEST", 10)
    with onednn_matmul(small.network) as on:
        assert on and fused_decoder(small) is None


def test_small_biases_are_kept_and_large_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = torch.rand(2, 1, 3, 4) > 0.5
    first = onednn._onednn_mask_bias(mask, 2)
    assert onednn._onednn_mask_bias(mask, 2) is first and torch.equal(first[:, :, :3] == 0, mask)
    monkeypatch.setattr(onednn, "KEPT", 1)
    again = onednn._onednn_mask_bias(mask, 2)
    assert again is not first and torch.equal(again, first)


def test_rows_are_kept_in_order_up_to_an_even_number() -> None:
    live = torch.tensor([False, True, False, False, True, True, False, True, False])
    assert rows_to_keep(live, 1).tolist() == [1, 4, 5, 7]
    assert rows_to_keep(live, 3).tolist() == [0, 1, 2, 4, 5, 7]
    assert rows_to_keep(live, 8).tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert rows_to_keep(live, 16).tolist() == list(range(9))


def test_another_attention_is_left_alone(policy: Policy) -> None:
    policy.network.set_attn_implementation("eager")
    try:
        with onednn_matmul(policy.network) as on:
            assert not on
            assert torch.get_float32_matmul_precision() == "highest"
    finally:
        policy.network.set_attn_implementation("sdpa")


def attention_inputs(queries: int, keys: int, padded: bool) -> tuple[list[Tensor], Tensor]:
    rng = torch.Generator().manual_seed(0)
    shapes = ((3, 6, queries, 8), (3, 2, keys, 8), (3, 2, keys, 8))
    made = [torch.randn(shape, generator=rng, dtype=torch.float64).requires_grad_() for shape in shapes]
    seen = torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)[None, None].repeat(3, 1, 1, 1)
    if padded:
        seen[1, :, :, :2] = False  # left padding: with as many queries as keys the first two see nothing
    return made, seen


@pytest.mark.parametrize(("queries", "keys", "padded"), [(5, 5, False), (5, 9, False), (5, 9, True), (1, 9, True)])
@pytest.mark.parametrize("masked", [True, False])
def test_plain_attention_is_sdpa_with_its_gradients(queries: int, keys: int, padded: bool, masked: bool) -> None:
    (query, key, value), seen = attention_inputs(queries, keys, padded)
    if padded and not masked:
        return
    found = onednn_attention(query, key, value, seen if masked else None, 0.3)
    whole = torch.nn.functional.scaled_dot_product_attention(
        query, key.repeat_interleave(3, 1), value.repeat_interleave(3, 1), attn_mask=seen, scale=0.3
    ).transpose(1, 2)
    push = torch.randn(found.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(found, whole, rtol=0, atol=1e-12)
    mine, theirs = (torch.autograd.grad((x * push).sum(), (query, key, value)) for x in (found, whole))
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_queries_on_padding_are_finite() -> None:
    (query, key, value), seen = attention_inputs(5, 5, True)
    found = onednn_attention(query, key, value, seen)
    found.sum().backward()
    assert torch.isfinite(found).all() and torch.isfinite(gradient(query)).all()


def test_scores_and_gradients_under_quick_products_are_those_without(policy: Policy, quick_anywhere: None) -> None:
    rng = torch.Generator().manual_seed(0)
    ids, seen = policy.encode(PROMPTS)
    responses = torch.randint(4, 30, (len(PROMPTS), 7), generator=rng)
    mask = torch.arange(7) < torch.tensor([[7], [3], [1], [5]])
    found = []
    for least in (0, 10**12):
        policy.network.zero_grad()
        with onednn_matmul(policy.network, least=least) as on:
            scores = policy.score(ids, seen, responses, mask, 1.0)
            (scores.logp.sum() + scores.entropy.sum()).backward()
        found.append((on, scores.logp.detach(), gradients(policy.parameters())))
    assert [one[0] for one in found] == [True, False]
    torch.testing.assert_close(found[0][1], found[1][1], rtol=0, atol=2e-5)
    for mine, theirs in zip(found[0][2], found[1][2], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=2e-5 * float(theirs.abs().max()))


def test_a_cpu_whose_products_are_rounded_falls_back(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onednn, "onednn_keeps_accuracy", lambda: False)
    with onednn_matmul(policy.network) as on:
        assert not on
        assert torch.get_float32_matmul_precision() == "highest"
        assert sequence_packing.supports_packing(policy.network.base_model), "packed rows need no quick products"
    assert policy.network.config._attn_implementation == "sdpa"


def test_one_product_tells_a_rounded_one_from_an_exact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    real = torch.Tensor.__matmul__

    def rounded(left: Tensor, right: Tensor) -> Tensor:
        return (
            real(left.bfloat16(), right.bfloat16()).to(left.dtype) if left.dtype == torch.float32 else real(left, right)
        )

    monkeypatch.setattr(torch.Tensor, "__matmul__", rounded)
    onednn.onednn_keeps_accuracy.cache_clear()
    try:
        assert not onednn.onednn_keeps_accuracy()
    finally:
        monkeypatch.undo()
        onednn.onednn_keeps_accuracy.cache_clear()

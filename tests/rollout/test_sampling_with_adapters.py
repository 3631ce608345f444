"""Sampling and training with grown adapters: one policy, in every fast path that is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from tests.grown_adapters import KINDS, give_grown_adapter, grow, settings
from tests.model.conftest import SMALL
from tests.rollout.conftest import KEYS, PROMPTS, SAMPLING
from tests.rollout.naive_forward import scored_alone
from tvo_cli.model import Policy
from tvo_cli.model.adapters import adapter
from tvo_cli.model.forward_pass import sequence_packing, shared_prefix
from tvo_cli.model.forward_pass.output_head import is_plain_linear
from tvo_cli.rollout import generate
from tvo_cli.rollout.decoding import onednn
from tvo_cli.rollout.decoding.fused_decode import fused_decoder
from tvo_cli.types import Rollout

FAMILIES: dict[str, Callable[[], nn.Module]] = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SMALL)),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SMALL, tie_word_embeddings=True)),
}


@pytest.fixture(params=["llama", pytest.param("qwen2", marks=pytest.mark.slow)])
def fresh(request: pytest.FixtureRequest, policy: Policy) -> Policy:
    """A small random policy of a family that is decoded by fused steps."""
    torch.manual_seed(0)
    network = FAMILIES[request.param]().float().eval()
    return Policy(network, policy.tokenizer, frozenset({2}), policy.pad_id)


@pytest.fixture(params=[pytest.param("plain", marks=pytest.mark.slow), "quick"])
def products(request: pytest.FixtureRequest, quick_anywhere: None) -> Iterator[Callable[[Policy], None]]:
    """Default products, or oneDNN's with our own attention, fused steps and packed rows."""
    with ExitStack() as on:

        def enter(policy: Policy) -> None:
            if request.param == "quick":
                assert on.enter_context(onednn.onednn_matmul(policy.network))

        yield enter


def sampled(policy: Policy) -> Rollout:
    return generate(policy, PROMPTS, KEYS, SAMPLING, seed=3)


@pytest.mark.parametrize("kind", ["lora", pytest.param("dora", marks=pytest.mark.slow)])
def test_the_sampler_and_the_trainer_say_the_same_of_a_grown_adapter(
    fresh: Policy, products: Callable[[Policy], None], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decoding that was tried before the adapter had grown must not go on with the base."""
    monkeypatch.setattr(shared_prefix, "LEAST", 0.0)  # prompts are shared however little that saves
    adapter.attach_adapter(fresh.network, settings(kind))
    products(fresh)
    young = sampled(fresh)
    grow(fresh.network)
    rollout = sampled(fresh)
    assert float((scored_alone(fresh, young) - young.logp).abs().max()) > 0.1, "it has not grown"
    columns = (rollout.prompt_ids, rollout.prompt_mask, rollout.response_ids, rollout.mask)
    trained = fresh.score(*columns, SAMPLING.temperature).logp
    for logp in (rollout.logp, trained.detach()):
        torch.testing.assert_close(logp, scored_alone(fresh, rollout), rtol=0, atol=1e-4)


def test_packed_rows_are_taken_with_an_adapter_and_fused_decoding_is_not(fresh: Policy, quick_anywhere: None) -> None:
    give_grown_adapter(fresh)
    with onednn.onednn_matmul(fresh.network) as on:
        assert on and sequence_packing.supports_packing(fresh.network.base_model)
        assert fused_decoder(fresh) is None


def test_decoding_is_fused_until_an_adapter_comes(fresh: Policy, quick_anywhere: None) -> None:
    """Whether layers are plain is asked anew: the network's first small step says nothing of later weights."""
    with onednn.onednn_matmul(fresh.network):
        assert fused_decoder(fresh) is not None
        adapter.attach_adapter(fresh.network, settings(target_modules=("up_proj",)))
        assert fused_decoder(fresh) is None


def test_any_layer_that_is_more_than_its_weight_is_not_plain() -> None:
    class Scaled(nn.Linear):
        """An own forward."""

    hooked, replaced, parametrised = (nn.Linear(2, 2) for _ in range(3))
    hooked.register_forward_hook(lambda module, inputs, output: 2 * output)
    replaced.forward = lambda x: x  # type: ignore[method-assign, assignment]
    nn.utils.parametrizations.weight_norm(parametrised)
    assert is_plain_linear(nn.Linear(2, 2))
    assert not any(map(is_plain_linear, (hooked, replaced, parametrised, Scaled(2, 2), nn.Identity())))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_shared_and_packed_prompts_are_those_of_plain_rows(
    fresh: Policy, quick_anywhere: None, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_grown_adapter(fresh, kind)
    rollout = sampled(fresh)
    columns = (rollout.prompt_ids, rollout.prompt_mask, rollout.response_ids, rollout.mask)

    def gradients() -> list[Tensor]:
        fresh.network.zero_grad()
        fresh.score(*columns, 1.0).logp.sum().backward()
        trained = adapter.adapter_tensors(fresh.network).values()
        return [one.grad.clone() for one in trained if one.grad is not None]

    plain = gradients()
    monkeypatch.setattr(shared_prefix, "LEAST", 0.0)
    shared = gradients()
    with onednn.onednn_matmul(fresh.network):
        packed = gradients()
    largest = max(float(one.abs().max()) for one in plain)
    for found in (shared, packed):
        assert len(found) == len(plain) > 0
        assert all(float((one - other).abs().max()) < 1e-4 * largest for one, other in zip(found, plain))

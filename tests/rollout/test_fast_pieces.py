"""Packed rows, fused decoding and oneDNN products, each with and without the others."""

from __future__ import annotations

import copy
from collections import Counter
from itertools import product
from typing import Any

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from tests.model.conftest import SMALL
from tests.rollout.conftest import KEYS, PROMPTS, SAMPLING
from tests.rollout.naive_forward import scored_alone
from tests.slow_cases import mostly_slow
from tvo_cli.model import Policy
from tvo_cli.model.forward_pass import sequence_packing, shared_prefix
from tvo_cli.rollout import generate
from tvo_cli.rollout.decoding import decoding_network, fused_decode, onednn
from tvo_cli.rollout.decoding.onednn import onednn_matmul

EVERY = list(product([False, True], repeat=3))


@pytest.fixture
def fresh(policy: Policy) -> Policy:
    """A small network of a family that takes every piece; float32 alone keeps its log π to less than 5e-6."""
    torch.manual_seed(0)
    network = Qwen2ForCausalLM(Qwen2Config(**(SMALL | {"initializer_range": 0.1}))).eval()
    return Policy(network, copy.copy(policy.tokenizer), frozenset(range(3)), policy.pad_id)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often rows were packed and tokens decoded by fused steps."""
    counted: Counter[str] = Counter()
    packed, step = sequence_packing.packed_predicting_states, fused_decode.FusedDecoder.step

    def count(name: str, function: Any) -> Any:
        return lambda *given: (counted.update([name]), function(*given))[1]

    monkeypatch.setattr(sequence_packing, "packed_predicting_states", count("packed", packed))
    monkeypatch.setattr(fused_decode.FusedDecoder, "step", count("fused", step))
    return counted


@pytest.mark.parametrize(("packing", "fused", "products"), mostly_slow(EVERY, 4))
def test_each_stands_on_its_own_and_gives_the_naive_forwards_numbers(
    fresh: Policy,
    calls: Counter[str],
    quick_anywhere: None,
    monkeypatch: pytest.MonkeyPatch,
    packing: bool,
    fused: bool,
    products: bool,
) -> None:
    plain = generate(fresh, PROMPTS, KEYS, SAMPLING, seed=3)
    exact = Policy(copy.deepcopy(fresh.network).double(), fresh.tokenizer, fresh.end_ids, fresh.pad_id)
    naive = scored_alone(exact, plain)
    monkeypatch.setattr(shared_prefix, "LEAST", 0.0)  # prompts are shared however little that saves
    if not packing:
        monkeypatch.setattr(sequence_packing, "supports_packing", lambda body: False)
    if not fused:
        monkeypatch.setattr(decoding_network, "fused_decoder", lambda policy: None)
    with onednn_matmul(fresh.network, products=products) as on:
        rollout = generate(fresh, PROMPTS, KEYS, SAMPLING, seed=3)
        calls["packed"] = 0  # without the probe's own
        columns = (rollout.prompt_ids, rollout.prompt_mask, rollout.response_ids, rollout.mask)
        trained = fresh.score(*columns, SAMPLING.temperature).logp.detach()
    assert (on, calls["packed"] > 0, calls["fused"] > 0) == (products, packing, fused)
    assert torch.equal(rollout.response_ids, plain.response_ids)
    for logp in (rollout.logp, trained):
        torch.testing.assert_close(logp, naive, rtol=0, atol=5e-6)


@pytest.mark.parametrize("piece", ["packed", "fused"])
def test_a_piece_whose_probe_fails_takes_no_other_with_it(
    fresh: Policy, calls: Counter[str], monkeypatch: pytest.MonkeyPatch, piece: str
) -> None:
    monkeypatch.setattr({"packed": sequence_packing, "fused": fused_decode}[piece], "TOLERANCE", -1.0)
    with onednn_matmul(fresh.network, products=False) as on:
        taken = {
            "packed": sequence_packing.supports_packing(fresh.network.base_model),
            "fused": fused_decode.fused_decoder(fresh) is not None,
        }
    assert not on and taken == {"packed": piece != "packed", "fused": piece != "fused"}
    assert fresh.network.config._attn_implementation == "sdpa"


def test_a_padded_vocabulary_decodes_by_fused_steps_too(policy: Policy) -> None:
    torch.manual_seed(0)
    padded = {"vocab_size": len(policy.tokenizer) + 8, "initializer_range": 0.1}
    network = Qwen2ForCausalLM(Qwen2Config(**(SMALL | padded))).eval()
    wide = Policy(network, copy.copy(policy.tokenizer), policy.end_ids, policy.pad_id)
    assert wide.head.decodable.width == len(policy.tokenizer)
    with onednn_matmul(network, products=False):
        assert fused_decode.fused_decoder(wide) is not None


def test_with_default_products_gradients_flow_through_sdpa(fresh: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is as fast there, and keeps no attention weights for the backward pass."""
    monkeypatch.setattr(onednn, "onednn_attention", lambda *given: pytest.fail("keeps the weights"))
    with onednn_matmul(fresh.network, products=False):
        logits = fresh.network(input_ids=torch.arange(4, 12)[None], use_cache=False).logits
    assert logits.requires_grad

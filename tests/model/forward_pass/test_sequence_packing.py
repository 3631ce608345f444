"""Packed rows whose layers are recomputed: the numbers of the plain forward, each recomputed with its own layout."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    DeepseekV3Config,
    DeepseekV3ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from tests.grown_adapters import grow, settings
from tests.memory.test_memory_plan import kept_for_backward_by
from tests.model.conftest import SMALL, architectures, batch, both, packing_families, without_dropout
from tests.slow_cases import mostly_slow
from tvo_cli.model.adapters.adapter import attach_adapter
from tvo_cli.model.forward_pass import sequence_packing, shared_prefix
from tvo_cli.model.forward_pass.gradient_checkpointing import enable_gradient_checkpointing
from tvo_cli.model.forward_pass.hidden_states import predicting_states
from tvo_cli.model.forward_pass.packed_layout import MaskedLayout
from tvo_cli.rollout.decoding import onednn
from tvo_cli.rollout.decoding.onednn import onednn_matmul

FAMILIES = packing_families()
PLAIN: dict[str, Callable[[], Any]] = {  # what has no packed rows
    "windowed mistral": lambda: MistralForCausalLM(MistralConfig(**SMALL, sliding_window=4)),
    "eager qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SMALL, attn_implementation="eager")),
    "gemma2": architectures()["gemma2"],
}
LATENT = {
    **{name: value for name, value in SMALL.items() if name != "head_dim"},
    **{"num_key_value_heads": 4, "q_lora_rank": 16, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4},
    **{"v_head_dim": 8, "n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16},
    **{"n_group": 1, "topk_group": 1, "first_k_dense_replace": 1},
}
Columns = tuple[Tensor, Tensor, Tensor, Tensor]


def recomputing(make: Callable[[], Any]) -> Any:
    """One whose layers are recomputed."""
    network = without_dropout(make)
    enable_gradient_checkpointing(network)
    return network


@contextmanager
def counted_layers(network: Any) -> Iterator[list[torch.Size]]:
    """Shapes of what the first layer's attention is given, each time."""
    shapes: list[torch.Size] = []
    attention = next(module for name, module in network.named_modules() if name.endswith(("self_attn", ".attn")))
    hook = attention.register_forward_pre_hook(
        lambda _, given, known: shapes.append((given[0] if given else known["hidden_states"]).shape), with_kwargs=True
    )
    yield shapes
    hook.remove()


@pytest.mark.parametrize("name", mostly_slow(FAMILIES, 3))
@pytest.mark.parametrize("whole", [False, True], ids=["backbone", "logits"])
def test_recomputed_layers_of_a_packed_row_give_the_plain_states_and_gradients(
    name: str, whole: bool, sharing_always: None, quick_anywhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = recomputing(FAMILIES[name]).double()
    body = network if whole else network.base_model
    with onednn_matmul(network), counted_layers(network) as shapes:
        assert sequence_packing.supports_packing(body)
        shapes.clear()
        mine, theirs = both(body, network, batch(), monkeypatch)
    packed, again, plain, plain_again = shapes
    assert packed == again and packed[0] == 1, "one row, computed twice"
    assert plain == plain_again and plain[0] == 12
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=2e-6 * float(other.abs().max() + 1e-6))


@pytest.mark.parametrize("recomputed", [False, True])
def test_values_may_be_narrower_than_keys(
    recomputed: bool, sharing_always: None, quick_anywhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DeepSeek's; its router computes in float32."""
    make = partial(DeepseekV3ForCausalLM, DeepseekV3Config(**LATENT))
    network = (recomputing if recomputed else without_dropout)(make)
    with onednn_matmul(network):
        assert sequence_packing.supports_packing(network.base_model)
        mine, theirs = both(network.base_model, network, batch(), monkeypatch)
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5 * float(other.abs().max() + 1e-6))


@pytest.mark.parametrize("name", PLAIN)
def test_what_cannot_be_packed_has_the_plain_forward(
    name: str, sharing_always: None, quick_anywhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = recomputing(PLAIN[name])
    with onednn_matmul(network), counted_layers(network) as shapes:
        mine, theirs = both(network.base_model, network, batch(), monkeypatch)
    assert [shape[0] for shape in shapes] == 4 * [12]
    for one, other in zip(mine, theirs, strict=True):
        assert torch.equal(one, other)


def micro_batches() -> tuple[Columns, Columns]:
    """Two with other prompts, other lengths and other slices."""
    first, second = batch(), batch(samples=2)
    ids, seen, responses, mask = second
    return first, (43 - ids[2:, 1:], seen[2:, 1:], responses[2:].flip(1), mask[2:, :9])


def backward(body: Any, columns: Columns) -> Callable[[], None]:
    """Forward now, backward when called."""
    states = predicting_states(body, *columns)
    weight = torch.randn(states.shape, generator=torch.Generator().manual_seed(1))
    return (states * weight).sum().backward


def gradients_of(network: Any) -> list[Tensor]:
    found = [p.grad.clone() for p in network.parameters() if p.grad is not None]
    network.zero_grad()
    return found


def gradients_alone(network: Any, columns: Any, precision: Callable[[], Any]) -> Any:
    """Of one micro-batch, whose backward follows its forward."""
    with precision():
        run = backward(network.base_model, columns)
    run()
    return gradients_of(network)


def assert_same_gradients(found: Any, expected: Any) -> None:
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6 * float(other.abs().max() + 1e-6))


@pytest.mark.parametrize("autocast", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("adapted", [False, True], ids=["all weights", "lora"])
def test_a_micro_batch_is_recomputed_with_its_own_layout(
    autocast: bool, adapted: bool, sharing_always: None, quick_anywhere: None
) -> None:
    """Others are computed between a forward and its backward, with gradients and without."""
    network = without_dropout(FAMILIES["llama"])
    if adapted:
        attach_adapter(network, settings())
        grow(network)
    kept = copy.deepcopy(network)
    enable_gradient_checkpointing(network)
    precision = partial(torch.autocast, "cpu", dtype=torch.bfloat16, enabled=autocast)
    first, second = micro_batches()
    with onednn_matmul(network, kept):
        alone = [gradients_alone(kept, columns, precision) for columns in (first, second)]
        with precision():
            runs = [backward(network.base_model, columns) for columns in (first, second)]
            with torch.no_grad():
                predicting_states(network.base_model, *(x[:2] for x in first))
        for run, expected in zip(runs, alone, strict=True):
            run()
            assert_same_gradients(gradients_of(network), expected)


@pytest.mark.parametrize("instead", ["sdpa", "eager"])
def test_another_attention_at_recomputation_is_an_error(
    sharing_always: None, quick_anywhere: None, instead: str
) -> None:
    """It would see the whole row as one text, and give wrong gradients without a word."""
    network = recomputing(FAMILIES["qwen2"])
    with onednn_matmul(network):
        states = predicting_states(network.base_model, *batch())
        network.set_attn_implementation(instead)
        with pytest.raises(RuntimeError):
            states.sum().backward()


@pytest.mark.parametrize("instead", ["sdpa", "eager"])
def test_a_packed_row_fails_under_an_attention_that_does_not_know_its_layout(instead: str) -> None:
    network = without_dropout(FAMILIES["qwen2"])
    network.set_attn_implementation(instead)
    ids, seen, responses, mask = batch()
    row = sequence_packing.packed_row((ids[:1], seen[:1]), torch.zeros(3).long(), (responses[:3], mask[:3]), [], 1)
    with pytest.raises(RuntimeError, match="size"):
        sequence_packing._forward_packed(network.base_model, row.tokens, row.places, MaskedLayout.of(row.layout))


@pytest.mark.parametrize("recomputed", [False, True])
def test_long_rows_are_packed_where_layers_are_recomputed(
    recomputed: bool, sharing_always: None, quick_anywhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their attention is SDPA's, which keeps no weights: five and twelve tokens, limit sixteen."""
    network = (recomputing if recomputed else without_dropout)(FAMILIES["qwen2"]).double()
    monkeypatch.setattr(sequence_packing, "LONGEST", 16)
    monkeypatch.setattr(onednn, "LONGEST", -sequence_packing.TOKENS)  # no keys are few
    monkeypatch.setattr(onednn, "onednn_attention", None)
    with onednn_matmul(network), counted_layers(network) as shapes:
        assert sequence_packing.packs_rows_of(network.base_model, 17) is recomputed
        shapes.clear()
        mine, theirs = both(network.base_model, network, batch(), monkeypatch)
    assert (shapes[0][0] == 1) is recomputed
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=2e-6 * float(other.abs().max() + 1e-6))


def test_a_packed_row_keeps_less_for_the_backward_pass(sharing_always: None, quick_anywhere: None) -> None:
    """Without recomputed layers, and without sharing, more by what each saves."""
    config = LlamaConfig(**{**SMALL, "hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 6})
    network = LlamaForCausalLM(config).eval()
    prompts = torch.randint(3, 43, (2, 32)).repeat_interleave(8, 0)
    columns = (prompts, torch.ones_like(prompts, dtype=torch.bool), torch.randint(3, 43, (16, 17)))
    mask = torch.ones(16, 17, dtype=torch.bool)

    def kept() -> int:
        return kept_for_backward_by(network, lambda: predicting_states(network.base_model, *columns, mask))

    with onednn_matmul(network):
        whole = kept()
        enable_gradient_checkpointing(network)
        both_pieces = kept()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shared_prefix, "is_worth_sharing", lambda *_: False)
            recomputed = kept()
    positions, shared = 16 * 48, 2 * 32 + 16 * 16
    assert both_pieces < 1.1 * shared / positions * recomputed
    assert both_pieces < 0.1 * whole

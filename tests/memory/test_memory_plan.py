"""The plan's formulas against what torch keeps, and its sums against what was measured."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache

from tests.memory import networks
from tests.slow_cases import mostly_slow
from tvo_cli import config
from tvo_cli.memory import bounds, memory_plan, microbatch_memory
from tvo_cli.memory.activation_size import activation_bytes, eager_attention_bytes
from tvo_cli.memory.kv_cache_size import cache_bytes_per_token, rows_within_cache
from tvo_cli.memory.memory_request import MemoryRequest
from tvo_cli.memory.network_shape import NetworkShape, shape_of_network
from tvo_cli.memory.planned_run import planned_run
from tvo_cli.model.forward_pass.cache_support import cache_argument
from tvo_cli.model.forward_pass.gradient_checkpointing import enable_gradient_checkpointing

PAGE = (Path(__file__).parent.parent.parent / "docs" / "memory.md").read_text(encoding="utf-8")
MEASURED = re.findall(r"^\| `([^`]+)` \| ([\d.]+) \| ([\d.]+) \| ([+−\d]+)% \|$", PAGE, flags=re.MULTILINE)
PROMPT = 23  # tokens of the longest of the first 256 problems of `arithmetic` under SmolLM2's tokenizer
BATCH = (
    *("rollout.prompts=4", "rollout.samples=4", "rollout.max_tokens=16", "rollout.epochs=1"),
    *("rollout.minibatches=1", "trainer.device=cpu", "evaluation=off", "output_dir=x"),
)
LLAMA = shape_of_network(networks.small_llama())


def request_of(shape: NetworkShape, *words: str, prompt: int = PROMPT) -> MemoryRequest:
    given = dict(word.split("=", 1) for word in ("model=custom", "model.path=x", *BATCH, *words))
    return planned_run(config.compose([f"{k}={v}" for k, v in given.items()]), shape, prompt).request


def update_bytes(request: MemoryRequest) -> float:
    return memory_plan.plan_memory(request).phases["update"]


def kept_for_backward(network: Any, ids: Tensor, autocast: bool) -> int:
    """Bytes that a forward pass over rows of tokens keeps, weights and their casts apart."""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        return kept_for_backward_by(network, lambda: network.base_model(input_ids=ids, use_cache=False))


def kept_for_backward_by(network: Any, forward: Callable[[], object]) -> int:
    """Bytes of the storages that a forward pass keeps, weights and their casts apart."""
    weights = {p.untyped_storage().data_ptr() for p in network.parameters()}
    shapes = {tuple(p.shape) for p in network.parameters()}
    found: dict[int, int] = {}
    held: list[Tensor] = []

    def pack(x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        cast = tuple(x.shape) in shapes or tuple(x.t().shape if x.dim() == 2 else x.shape) in shapes
        if storage.data_ptr() not in weights and not cast:
            found[storage.data_ptr()] = storage.nbytes()
            held.append(x)
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        outputs = forward()  # kept until its storages are counted
    del outputs
    return sum(found.values())


@pytest.mark.parametrize("autocast", [False, True])
def test_activations_are_what_a_forward_keeps(autocast: bool) -> None:
    ids = torch.arange(4 * 60).reshape(4, 60) % 200
    predicted = activation_bytes(LLAMA, 240, itemsize=2 if autocast else 4, autocast=autocast, checkpointed=False)
    assert predicted == pytest.approx(kept_for_backward(networks.small_llama(), ids, autocast), rel=0.06)


@pytest.mark.parametrize("autocast", [False, True])
def test_gpt2s_activations_are_within_a_tenth_of_the_same_formula(autocast: bool) -> None:
    network = networks.small_gpt2()
    kept = kept_for_backward(network, torch.arange(240).reshape(4, 60) % 200, autocast)
    itemsize, shape = 2 if autocast else 4, shape_of_network(network)
    predicted = activation_bytes(shape, 240, itemsize=itemsize, autocast=autocast, checkpointed=False)
    assert predicted == pytest.approx(kept, rel=0.1)


@pytest.mark.parametrize("autocast", [False, True])
def test_eager_attention_keeps_its_weights(autocast: bool) -> None:
    ids, network = torch.arange(2 * 400).reshape(2, 400) % 200, networks.small_llama(layers=2)
    by_sdpa = kept_for_backward(network, ids, autocast)
    network.set_attn_implementation("eager")
    predicted = eager_attention_bytes(
        shape_of_network(network), 2, 400, itemsize=2 if autocast else 4, checkpointed=False
    )
    assert predicted == pytest.approx(kept_for_backward(network, ids, autocast) - by_sdpa, rel=0.1)


def test_a_plan_with_eager_attention_has_them() -> None:
    shape, words = networks.smollm2_shape(), ("model.gradient_checkpointing=false", "rollout.max_tokens=512")
    sdpa, eager = (request_of(shape, *words, f"model.attention={kind}") for kind in ("sdpa", "eager"))
    rows = eager.microbatch_rows
    weights = 30 * rows * 9 * eager.length**2 * 4
    more = update_bytes(eager) - update_bytes(sdpa)
    assert rows == sdpa.microbatch_rows and more == pytest.approx(weights, rel=0.01)


def test_checkpointed_layers_keep_their_input() -> None:
    network = networks.small_llama(layers=8)
    enable_gradient_checkpointing(network)
    network.train()
    shape = shape_of_network(network)
    layer = activation_bytes(replace(shape, layers=1), 240, itemsize=4, autocast=False, checkpointed=False)
    predicted = activation_bytes(shape, 240, itemsize=4, autocast=False, checkpointed=True) - layer
    kept = kept_for_backward(network, torch.arange(240).reshape(4, 60) % 200, False)
    assert predicted + 2 * 240 * 64 * 4 == pytest.approx(kept, rel=0.02), "and what the last norm keeps"


@pytest.mark.parametrize("autocast", [False, True])
def test_the_cache_is_what_transformers_keeps(autocast: bool) -> None:
    network, cache = networks.small_llama(), DynamicCache()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        network(input_ids=torch.arange(60).reshape(3, 20), use_cache=True, **cache_argument(network, cache))
    kept = sum(x.nbytes for layer in cache.layers for x in (layer.keys, layer.values))
    if cache.layers[0].values.dtype == torch.float32:  # transformers 5.4 keeps values as wide as keys
        autocast = False
    assert kept == 60 * cache_bytes_per_token(LLAMA, itemsize=2 if autocast else 4, autocast=autocast)


def test_rows_fit_the_caches_bytes() -> None:
    assert rows_within_cache(512, 136, 100, 20_000 * 10.5) == 10
    assert rows_within_cache(512, 136, 100, 0) == 512 == rows_within_cache(512, 136, 100, 1e12)
    assert rows_within_cache(512, 136, 100, 1) == 1, "one row is always tried"


def test_shapes_are_counted_from_the_network() -> None:
    smollm2, gpt2 = networks.smollm2_shape(), networks.gpt2_shape()
    assert (smollm2.parameters, smollm2.embedding, smollm2.tied, smollm2.keys) == (134_515_008, 28_311_552, True, 192)
    assert smollm2.body == smollm2.parameters and LLAMA.body == LLAMA.parameters - LLAMA.embedding
    assert (gpt2.parameters, gpt2.intermediate, gpt2.keys) == (124_439_808, 3072, 768)


def test_standing_parts_are_those_of_the_arithmetic() -> None:
    shape, gb = networks.smollm2_shape(), 134_515_008 / 1e9
    plan = memory_plan.plan_memory(
        request_of(shape, "algorithm=ppo", "recorder.on_collapse=true", "stability.reference=true")
    )
    parts = {name: round(size / 1e9, 6) for name, size in plan.standing.items() if name != "process"}
    assert parts == {
        "weights": round(4 * gb, 6),
        "gradients": round(4 * gb, 6),
        "optimiser": round(8 * gb, 6),
        "critic": round(16 * gb, 6),
        "reference": round(4 * gb, 6),
        "recorder": round(24 * gb, 6),
    }
    assert plan.peak == sum(plan.standing.values()) + max(plan.phases.values())


def test_on_a_gpu_the_copies_are_the_hosts() -> None:
    plan = memory_plan.plan_memory(
        request_of(networks.qwen2_shape("1.5b"), "recorder.on_collapse=true", "trainer.device=cuda")
    )
    assert "recorder" not in plan.standing and plan.host["recorder"] == pytest.approx(18.5e9, rel=0.01)


@pytest.mark.slow
def test_a_rollback_holds_two_copies_and_an_adapter_next_to_no_state() -> None:
    shape = networks.smollm2_shape()
    assert request_of(shape, "stability=act").copies == 2 and request_of(shape).copies == 0
    adapter = request_of(shape, "adapter=lora")
    assert memory_plan.plan_memory(adapter).standing["optimiser"] == 8 * adapter.trained < 0.05 * 8 * shape.parameters


def test_refusals_hold_the_state_before_an_update_and_before_a_slow_rise() -> None:
    shape, alone = networks.smollm2_shape(), ("stability.refuse=4", "stability.refuse_drift=0")
    assert [request_of(shape, *words).copies for words in (alone, alone[:1])] == [1, 2]
    assert request_of(shape, *alone, "recorder.on_collapse=true").copies == 1, "the recorder's is the same one"
    assert request_of(shape, "stability=act", "stability.refuse=4").copies == 3


def test_micro_batches_are_those_that_a_run_cuts() -> None:
    shape = networks.smollm2_shape()
    assert request_of(shape).microbatch_rows == 4, "the variance reading cuts the minibatch by prompts"
    assert request_of(shape, "rollout.epochs=2").microbatch_rows == 16
    wide = ("rollout.prompts=8", "rollout.samples=8", "rollout.epochs=2", "rollout.max_tokens=105")
    assert request_of(shape, *wide).microbatch_rows == 16, "2048 positions of 128, whole prompts"
    assert request_of(shape, *wide, "trainer.microbatch_tokens=0").microbatch_rows == 64


@pytest.mark.parametrize(("asked", "rows"), [(2, 2), (5, 4), (6, 6), (8, 8), (16, 16)])
def test_the_responses_of_a_prompt_are_parted_in_the_plan_too(asked: int, rows: int) -> None:
    """16 responses a prompt: in parts of 2, 4 (four of at most 5), 6 (16 = 6 + 5 + 5), 8, or whole."""
    words = ("rollout.samples=16", "rollout.epochs=2", f"trainer.microbatch_rows={asked}")
    request = request_of(networks.smollm2_shape(), *words)
    assert request.microbatch_rows == rows and request.summed_gradient is (rows < 16)


@pytest.mark.slow
def test_a_prompt_counts_once_where_its_responses_share_it() -> None:
    """Four rows of 23 + 16; layers that are recomputed share by packed rows alone, which is not planned for a GPU."""
    shape, recomputed = networks.smollm2_shape(), "model.gradient_checkpointing=true"
    once, whole = 23 + 4 * 16, 4 * (23 + 16)
    expected: list[tuple[NetworkShape, tuple[str, ...], int]] = [
        (shape, ("model.gradient_checkpointing=false",), once),
        (shape, (recomputed,), once),
        (shape, (recomputed, "model.attention=eager"), whole),
        (shape, (recomputed, "trainer.device=cuda"), whole),
        (replace(shape, packs=False), (recomputed,), whole),
        (replace(shape, packs=False), ("model.gradient_checkpointing=false",), once),
        (replace(shape, plain_cache=False), (recomputed,), whole),
    ]
    for of, words, positions in expected:
        assert microbatch_memory.positions_of_rows(request_of(of, *words), 4) == positions, words


@pytest.mark.parametrize(
    ("kind", "packs"), [("llama", True), ("qwen3", True), ("gpt2", True), ("falcon", False), ("stablelm", False)]
)
def test_a_shape_says_whether_attention_is_handed_the_layout_of_a_packed_row(kind: str, packs: bool) -> None:
    sizes = {"vocab_size": 43, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "n_layer": 1}
    config = AutoConfig.for_model(kind, **sizes, num_attention_heads=4, num_key_value_heads=4)
    with torch.device("meta"):
        network = AutoModelForCausalLM.from_config(config)
    assert shape_of_network(network).packs is packs


def test_positions_that_fit_fit() -> None:
    request = request_of(networks.qwen2_shape("1.5b"), "trainer.device=cuda", "trainer.precision=bfloat16")
    for free in (8e9, 20e9, 60e9):
        rows = bounds.positions_that_fit(request, free) // request.length
        assert 0.9 * free < update_bytes(replace(request, microbatch_rows=rows)) <= free
    assert bounds.positions_that_fit(request, 0.0) == 1


def test_the_page_has_the_measurements() -> None:
    assert len(MEASURED) >= 12


@pytest.mark.parametrize(("words", "told", "measured", "error"), mostly_slow(MEASURED, MEASURED[::4]))
def test_the_plan_is_within_fifteen_per_cent_of_what_was_measured(
    words: str, told: str, measured: str, error: str
) -> None:
    peak = memory_plan.plan_memory(request_of(networks.smollm2_shape(), *words.split())).peak / 1e9
    assert peak == pytest.approx(float(told), abs=0.006), "the page is stale"
    assert abs(peak / float(measured) - 1) < 0.15
    assert round(100 * (float(told) / float(measured) - 1)) == int(error.replace("−", "-"))


@pytest.mark.slow
def test_the_heldout_check_counts_with_the_rows_that_it_samples_at_once() -> None:
    shape = networks.smollm2_shape()
    off, on = (request_of(shape, *words) for words in ((), ("evaluation=default", "evaluation.max_tokens=100")))
    assert "evaluation" not in memory_plan.plan_memory(off).phases
    assert on.evaluated_rows == rows_within_cache(512, PROMPT + 100, 46080, 4e9) and on.generated_rows == 16
    assert memory_plan.plan_memory(on).phase == "evaluation"
    few = request_of(shape, "evaluation=default", "evaluation.problems=2", "evaluation.samples=3")
    assert few.evaluated_rows == 6

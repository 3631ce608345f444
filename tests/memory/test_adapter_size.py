"""Adapters in the plan: their parameters, what a forward keeps for them, and the weights that stay frozen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.grown_adapters import KINDS, settings
from tests.memory import networks
from tests.memory.test_memory_plan import kept_for_backward, request_of
from tvo_cli.errors import UserError
from tvo_cli.memory.activation_size import activation_bytes
from tvo_cli.memory.adapter_size import AdapterSize, adapter_activation_bytes, frozen_bytes
from tvo_cli.memory.memory_plan import plan_memory
from tvo_cli.memory.network_shape import shape_of_network
from tvo_cli.model.adapters.adapter import adapter_tensors, attach_adapter

LLAMA = shape_of_network(networks.small_llama())
IDS = torch.arange(4 * 60).reshape(4, 60) % 200


def size_of(kind: str, targets: Any = "auto") -> AdapterSize:
    found = AdapterSize.of({"kind": kind, "rank": 4, "target_modules": targets}, LLAMA)
    assert found is not None
    return found


@pytest.mark.parametrize("targets", ["auto", ["q_proj", "down_proj"]])
@pytest.mark.parametrize("kind", KINDS)
def test_its_parameters_are_those_that_peft_makes(kind: str, targets: Any) -> None:
    network = networks.small_llama()
    attach_adapter(network, settings(kind, target_modules=tuple(targets) if targets != "auto" else ("auto",)))
    made = sum(parameter.numel() for parameter in adapter_tensors(network).values())
    assert size_of(kind, targets).parameters == made
    assert shape_of_network(network) == LLAMA, "the shape is the network's own, with an adapter or without"


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("lora", {"target_modules": ("nosuch",)}),
        ("lora", {"target_modules": ("q_proj", "layers.0.nosuch")}),
        ("dora", {"target_modules": ()}),
        ("miss", {"rank": 100}),
    ],
)
def test_a_plan_refuses_what_a_run_refuses(kind: str, asked: dict[str, Any]) -> None:
    with pytest.raises(UserError) as by_run:
        attach_adapter(networks.small_llama(), replace(settings(kind), **asked))
    with pytest.raises(UserError) as by_plan:
        AdapterSize.of({"kind": kind, "rank": 4, "target_modules": ["auto"]} | asked, LLAMA)
    assert (by_plan.value.key, by_plan.value.value) == (by_run.value.key, by_run.value.value)


@pytest.mark.parametrize(
    ("dtype", "autocast"), [(torch.float32, False), (torch.float32, True), (torch.bfloat16, False)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_forward_keeps_what_is_planned_for_it(kind: str, dtype: torch.dtype, autocast: bool) -> None:
    network = networks.small_llama().to(dtype)
    attach_adapter(network, settings(kind))
    itemsize = 2 if autocast or dtype == torch.bfloat16 else 4
    own = activation_bytes(LLAMA, 240, itemsize=itemsize, autocast=autocast, checkpointed=False)
    added = 240 * adapter_activation_bytes(size_of(kind), itemsize=itemsize, autocast=autocast)
    assert own + added == pytest.approx(kept_for_backward(network, IDS, autocast), rel=0.15)


class LargestLiving(TorchDispatchMode):
    """The most bytes that results of operations hold at once, beside tensors that were there before."""

    def __init__(self, before: Iterable[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.before = {one.untyped_storage().data_ptr() for one in before}
        self.living: list[tuple[StorageWeakRef, int]] = []
        self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        made = [one.untyped_storage() for one in tree_leaves(found) if isinstance(one, torch.Tensor)]
        self.living += [(StorageWeakRef(one), one.nbytes()) for one in made if one.data_ptr() not in self.before]
        self.most = max(self.most, sum({ref.cdata: size for ref, size in self.living if not ref.expired()}.values()))
        return found


def test_a_dora_layer_unfolds_what_is_planned_for_the_largest() -> None:
    network = networks.small_llama(layers=1)
    attach_adapter(network, settings("dora"))
    layer = network.model.layers[0].mlp.down_proj
    with LargestLiving(layer.parameters()) as seen:
        layer(torch.zeros(1, layer.in_features))
    assert 4 * size_of("dora").unfolded == pytest.approx(seen.most, rel=0.05) and size_of("lora").unfolded == 0


@pytest.mark.slow
def test_every_phase_of_dora_has_what_a_layer_unfolds() -> None:
    lora, dora = (plan_memory(request_of(networks.smollm2_shape(), f"adapter={kind}")) for kind in ("lora", "dora"))
    assert dora.phases["generation"] - lora.phases["generation"] == 4 * (1536**2 + 3 * 1536 * 576)


def test_a_packed_weight_counts_as_the_numbers_that_it_stands_for() -> None:
    network = networks.small_llama()
    weight = network.model.layers[0].mlp.up_proj.weight
    setattr(weight, "quant_state", SimpleNamespace(shape=weight.shape))  # noqa: B010 - mypy knows no such attribute
    weight.data = weight.data.reshape(-1)[: weight.numel() // 2]
    assert shape_of_network(network).parameters == LLAMA.parameters


def test_frozen_weights_of_four_bits_leave_embedding_head_and_norms_as_they_are() -> None:
    shape = networks.qwen2_shape("7b")
    packed = sum(layer.inputs * layer.outputs for layer in shape.linear)
    assert shape.parameters - packed == pytest.approx(2 * shape.embedding, rel=1e-3), "biases and norms besides"
    assert frozen_bytes(shape, 2, quantised=False) == 2 * shape.parameters
    assert frozen_bytes(shape, 2, quantised=True) / 1e9 == pytest.approx(5.55, abs=0.01)


def test_the_plan_of_an_adapter_has_no_reference_and_small_copies() -> None:
    words = ("adapter=lora", "model.dtype=bfloat16", "stability.reference=true", "recorder.on_collapse=true")
    request = request_of(networks.qwen2_shape("7b"), *words, "trainer.device=cuda")
    plan, trained = plan_memory(request), 40_370_176  # 28·16·(2·3584 + 2·(3584+512) + 2·3584 + 3·(3584+18944))
    assert request.trained == trained and request.scored_rows > 0, "it is scored, with the adapter off"
    assert "reference" not in plan.standing
    assert plan.standing["weights"] == 2 * request.shape.parameters + 4 * trained
    assert (plan.standing["gradients"], plan.standing["optimiser"]) == (4 * trained, 8 * trained)
    assert plan.host["recorder"] == 12 * trained


def test_a_critic_beside_frozen_weights_is_an_adapter_too() -> None:
    request = request_of(networks.smollm2_shape(), "adapter=lora", "algorithm=ppo")
    assert plan_memory(request).standing["critic"] == 16 * request.trained

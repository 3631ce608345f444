"""Adapters beside frozen layers: the formula, what trains, what is shared, what is refused."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.grown_adapters import KINDS, give_grown_adapter, grow, settings
from tests.model.conftest import architectures
from tvo_cli.errors import UserError
from tvo_cli.model import Critic, Policy, clone_frozen
from tvo_cli.model.adapters.adapter import AdapterSettings, adapter_tensors, attach_adapter, log_adapter

IDS = torch.arange(4, 20)[None]


def said(network: Any) -> Tensor:
    with torch.no_grad():
        found: Tensor = network(input_ids=IDS).logits
    return found


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in ("qwen2", "gpt2", "cohere") for kind in KINDS if (name, kind) != ("gpt2", "miss")],
)
def test_a_new_adapter_changes_no_bit_and_a_grown_one_does(name: str, kind: str) -> None:
    torch.manual_seed(0)
    network = architectures()[name]().eval()
    alone = said(network)
    attach_adapter(network, settings(kind))
    assert torch.equal(said(network), alone)
    grow(network)
    assert float((said(network) - alone).abs().max()) > 0.1


@pytest.mark.parametrize(("rslora", "scale"), [(False, 8.0 / 4), (True, 8.0 / 2)])
@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_a_layer_computes_the_published_formula(policy: Policy, kind: str, rslora: bool, scale: float) -> None:
    layer = give_grown_adapter(policy, kind, rslora=rslora).network.model.layers[0].mlp.down_proj
    rng = torch.Generator().manual_seed(2)
    x, weight = torch.randn(3, layer.in_features, generator=rng), layer.base_layer.weight.double()
    a, b = layer.lora_A["default"].weight.double(), layer.lora_B["default"].weight.double()
    whole = weight + scale * b @ a
    if kind == "dora":
        whole = layer.lora_magnitude_vector["default"].weight.double()[:, None] * whole / whole.norm(dim=1)[:, None]
    torch.testing.assert_close(layer(x).double(), x.double() @ whole.t(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rank", [4, 5])
def test_miss_adds_one_matrix_to_every_block_of_the_weight(policy: Policy, rank: int) -> None:
    """W + [Bᵀ Bᵀ …]: column c of what is added is row c mod r of B; 176 inputs are no multiple of 5."""
    layer = give_grown_adapter(policy, "miss", rank=rank).network.model.layers[0].mlp.down_proj
    b, weight = layer.miss_block["default"].double(), layer.base_layer.weight.double()
    added = torch.stack([b[column % rank] for column in range(layer.in_features)], dim=1)
    assert b.shape == (rank, layer.out_features) and torch.linalg.matrix_rank(added) == rank
    x = torch.randn(3, layer.in_features, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(layer(x).double(), x.double() @ (weight + added).t(), rtol=1e-5, atol=1e-5)


def test_miss_is_refused_where_it_cannot_be(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"adapter.rank=65.* wider than the input of .*q_proj, 64"):
        attach_adapter(policy.network, settings("miss", rank=65))
    with pytest.raises(UserError, match=r"adapter=miss.* does not know transformer.h.0.attn.c_attn as a linear layer"):
        attach_adapter(architectures()["gpt2"](), settings("miss"))
    import peft

    monkeypatch.delattr(peft, "MissConfig")
    with pytest.raises(UserError, match=r"adapter=miss.* the installed peft [0-9.]+ knows no MiSS"):
        attach_adapter(policy.network, settings("miss"))


def test_only_the_adapter_trains_and_its_start_is_the_seeds(policy: Policy) -> None:
    before = torch.get_rng_state()
    attach_adapter(policy.network, settings(seed=1))
    assert torch.equal(torch.get_rng_state(), before)
    trained = {name for name, one in policy.network.named_parameters() if one.requires_grad}
    assert trained == set(adapter_tensors(policy.network)) and len(trained) == 2 * 7 * 2
    again, other = clone_frozen(policy), clone_frozen(policy)
    first = "model.layers.0.self_attn.q_proj.lora_A.default.weight"
    for copied, seed in ((again, 1), (other, 2)):
        bare = give_bare(copied)
        attach_adapter(bare, settings(seed=seed))
    found = [adapter_tensors(one.network)[first] for one in (policy, again, other)]
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


def give_bare(policy: Policy) -> Any:
    """The same network without its adapter."""
    for layer in policy.network.model.layers:
        for part in (layer.self_attn, layer.mlp):
            for name, child in list(part.named_children()):
                if hasattr(child, "base_layer"):
                    setattr(part, name, child.base_layer)
    del policy.network.peft_config
    return policy.network


def test_an_adapter_beside_bfloat16_weights_is_float32(policy: Policy) -> None:
    policy.network.to(torch.bfloat16)
    attach_adapter(policy.network, settings("dora"))
    assert {one.dtype for one in adapter_tensors(policy.network).values()} == {torch.float32}


@pytest.mark.parametrize("kind", KINDS)
def test_reference_and_critic_share_the_frozen_weights(policy: Policy, rows: SimpleNamespace, kind: str) -> None:
    alone = said(policy.network)
    policy.network.requires_grad_(False)
    reference, critic = clone_frozen(policy), Critic(policy, settings(kind))
    give_grown_adapter(policy, kind)
    own = {one.data_ptr() for one in policy.network.parameters()}
    assert all(one.data_ptr() in own for one in reference.network.parameters())
    frozen = [one for one in critic.parameters() if not one.requires_grad]
    assert frozen and all(one.data_ptr() in own for one in frozen)
    assert torch.equal(said(reference.network), alone)
    columns = (rows.prompt_ids, rows.prompt_mask, rows.response_ids, rows.mask)
    critic.values(*columns).sum().backward()
    torch.nn.init.ones_(critic.head.weight)
    critic.values(*columns).sum().backward()
    assert all(one.grad is None for one in policy.network.parameters())
    assert any(float(one.grad.abs().max()) > 0 for one in critic.body.parameters() if one.grad is not None)
    kept = critic.trained_tensors()
    assert {*kept} == {name for name, one in critic.named_parameters() if one.requires_grad}
    with pytest.raises(KeyError, match="another critic"):
        critic.restore({**kept, "more": torch.ones(1)})


def test_a_critic_of_a_policy_that_trains_whole_is_a_copy(policy: Policy) -> None:
    critic = Critic(policy)
    own = {one.data_ptr() for one in policy.network.parameters()}
    assert not any(one.data_ptr() in own for one in critic.parameters())
    assert all(one.requires_grad for one in critic.parameters())


@pytest.mark.parametrize("name", ["lm_head", "embed_tokens", "q_prj", "norm"])
def test_names_that_are_no_linear_layer_of_the_backbone_are_refused(policy: Policy, name: str) -> None:
    with pytest.raises(UserError, match=rf"adapter.target_modules={name}.* There are: down_proj, gate_proj"):
        attach_adapter(policy.network, settings(target_modules=("q_proj", name)))


@pytest.mark.parametrize("names", [(), ("q_proj", "layers.9.k_proj"), ("q_proj", "nothing.k_proj")])
def test_targets_that_would_be_passed_over_are_refused(policy: Policy, names: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match=r"adapter\.target_modules=.* There are: down_proj"):
        attach_adapter(policy.network, settings(target_modules=names))


def test_a_target_may_be_named_by_its_place(policy: Policy) -> None:
    attach_adapter(policy.network, settings(target_modules=("layers.1.self_attn.k_proj",)))
    assert {name.partition(".lora_")[0] for name in adapter_tensors(policy.network)} == {
        "model.layers.1.self_attn.k_proj"
    }


def test_named_layers_alone_are_adapted_and_the_log_counts_them(
    policy: Policy, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = settings(target_modules=("q_proj", "v_proj"))
    attach_adapter(policy.network, chosen)
    assert {name.split(".")[4] for name in adapter_tensors(policy.network)} == {"q_proj", "v_proj"}
    with caplog.at_level(logging.INFO, logger="tvo"):
        log_adapter(policy.network, chosen)
    assert "LoRA of rank 4 beside 4 layers; 2,048 parameters train" in caplog.text


def test_without_peft_one_line_says_what_to_install(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(UserError, match=r"adapter=lora: .*pip install -e '\.\[lora\]'"):
        attach_adapter(policy.network, settings())


def test_settings_of_a_config_node() -> None:
    assert AdapterSettings.of({"kind": "none", "lr_scale": 1.0}) is None
    node = {"kind": "dora", "rank": 8, "alpha": 16, "target_modules": "auto", "rslora": True, "seed": 3}
    assert AdapterSettings.of(node) == AdapterSettings("dora", 8, 16.0, ("auto",), True, 3)

"""The folder of an adapter: peft reads it, it comes back to the bit, and it knows its base."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.grown_adapters import KINDS, give_grown_adapter
from tvo_cli.errors import UserError
from tvo_cli.model import Policy, load_policy
from tvo_cli.model.adapter import adapter_tensors
from tvo_cli.model.adapter_folder import read_base
from tvo_cli.model.adapter_merge import load_merged_policy, save_merged
from tvo_cli.model.policy_loading import base_model

IDS = torch.arange(4, 20)[None]
NODE = {"path": "packaged:tiny", "dtype": "float32", "attention": "sdpa", "gradient_checkpointing": False}


def said(policy: Policy) -> Tensor:
    with torch.no_grad():
        found: Tensor = policy.network(input_ids=IDS).logits
    return found


def saved(folder: Path, kind: str, node: dict[str, Any]) -> Policy:
    """A policy with a grown adapter beside the model of a node, written into a folder."""
    policy = load_policy(node, device="cpu")
    base = base_model(node, policy.network)
    give_grown_adapter(policy, kind)
    policy.base = base
    policy.save(folder)
    return policy


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_what_was_written_comes_back_to_the_bit(tmp_path: Path, kind: str) -> None:
    written = saved(tmp_path / "policy", kind, NODE)
    found = load_policy(NODE | {"path": str(tmp_path / "policy")}, device="cpu")
    assert found.base == written.base and torch.equal(said(found), said(written))
    read = found.read_saved(tmp_path / "policy")
    assert read.keys() == written.trained_tensors().keys()
    assert all(torch.equal(read[name], value) for name, value in written.trained_tensors().items())
    assert not (tmp_path / "policy" / "model.safetensors").exists()


def test_peft_itself_reads_the_folder(tmp_path: Path, kind: str) -> None:
    from peft import PeftModel

    written = saved(tmp_path, kind, NODE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft asks transformers for a name that it will drop
        found = PeftModel.from_pretrained(load_policy(NODE, device="cpu").network, str(tmp_path))
        logits = found(input_ids=IDS).logits.detach()
    assert torch.equal(logits, said(written))


def test_an_adapter_beside_another_base_is_refused_with_both_digests(tmp_path: Path) -> None:
    own, other = tmp_path / "base", tmp_path / "other"
    first = load_policy(NODE, device="cpu")
    first.save(own)
    written = saved(tmp_path / "policy", "lora", NODE | {"path": str(own)})
    with torch.no_grad():
        first.network.model.layers[1].mlp.up_proj.weight[0, 0] += 1e-3
    first.save(other)
    node = NODE | {"path": str(tmp_path / "policy")}
    own.rename(tmp_path / "moved")
    with pytest.raises(UserError, match="no such folder"):
        load_policy(node, device="cpu")
    assert torch.equal(said(load_policy(node | {"base": str(tmp_path / "moved")}, device="cpu")), said(written))
    assert written.base is not None
    with pytest.raises(UserError, match=rf"{written.base.fingerprint[:16]}.*other holds [0-9a-f]{{16}}.*model.base="):
        load_policy(node | {"base": str(other)}, device="cpu")


def test_the_digest_of_a_base_is_that_of_its_files_in_whatever_precision_it_is_loaded(tmp_path: Path) -> None:
    saved(tmp_path, "lora", NODE)
    found = load_policy(NODE | {"path": str(tmp_path), "dtype": "bfloat16"}, device="cpu")
    assert found.base == read_base(tmp_path)


def test_a_folder_of_another_program_says_its_base_in_pefts_own_file(tmp_path: Path) -> None:
    written = saved(tmp_path, "lora", NODE)
    (tmp_path / "base.json").unlink()
    assert torch.equal(said(load_policy(NODE | {"path": str(tmp_path)}, device="cpu")), said(written))
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    with pytest.raises(UserError, match="which model its adapter belongs to"):
        load_policy(NODE | {"path": str(tmp_path)}, device="cpu")


def test_a_merged_folder_says_the_same_without_peft(tmp_path: Path, kind: str) -> None:
    from transformers import AutoModelForCausalLM

    written = saved(tmp_path / "policy", kind, NODE)
    node = NODE | {"path": str(tmp_path / "policy")}
    merged = load_merged_policy(node, device="cpu")
    assert merged.base is None and not adapter_tensors(merged.network)
    torch.testing.assert_close(said(merged), said(written), rtol=1e-5, atol=1e-4)
    found = AutoModelForCausalLM.from_pretrained(save_merged(node, tmp_path / "merged"))
    assert torch.equal(found(input_ids=IDS).logits, said(merged))


def test_merging_beside_bfloat16_weights_rounds_once(tmp_path: Path) -> None:
    saved(tmp_path, "lora", NODE)
    node = NODE | {"path": str(tmp_path)}
    whole, half = (load_merged_policy(node | {"dtype": one}, device="cpu") for one in ("float32", "bfloat16"))
    name = "model.layers.0.self_attn.q_proj.weight"
    base = load_policy(NODE | {"dtype": "bfloat16"}, device="cpu").network.state_dict()[name].float()
    full = load_policy(NODE, device="cpu").network.state_dict()[name]
    product = whole.network.state_dict()[name] - full
    torch.testing.assert_close(half.network.state_dict()[name], (base + product).bfloat16(), rtol=0.01, atol=1e-6)
    exact = half.network.state_dict()[name] == (base + product).bfloat16()
    assert float(exact.float().mean()) > 0.99


def test_a_model_without_an_adapter_is_exported_as_it_is(tmp_path: Path) -> None:
    found = load_policy(NODE | {"path": str(save_merged(NODE, tmp_path / "out"))}, device="cpu")
    assert torch.equal(said(found), said(load_policy(NODE, device="cpu")))

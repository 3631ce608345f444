"""The folder of an adapter: peft reads it, it comes back to the bit, and it knows its base."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.grown_adapters import give_grown_adapter
from tvo_cli.checkpoint.tensor_slice import values_held
from tvo_cli.errors import UserError
from tvo_cli.model import Policy, load_policy
from tvo_cli.model.adapters.adapter import adapter_tensors
from tvo_cli.model.adapters.adapter_base import base_model
from tvo_cli.model.adapters.adapter_folder import read_base
from tvo_cli.model.loading.merged_policy import load_merged_policy, save_merged

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


@pytest.fixture(params=["lora", "dora", pytest.param("miss", marks=pytest.mark.slow)])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_what_was_written_comes_back_to_the_bit(tmp_path: Path, kind: str) -> None:
    written = saved(tmp_path / "policy", kind, NODE)
    found = load_policy(NODE | {"path": str(tmp_path / "policy")}, device="cpu")
    assert found.base == written.base and torch.equal(said(found), said(written))
    read = found.read_saved(tmp_path / "policy")
    assert read.keys() == written.trained_tensors().keys()
    assert all(torch.equal(values_held(read[name]), value) for name, value in written.trained_tensors().items())
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


def altered(folder: Path, **changed: Any) -> dict[str, Any]:
    """The node of a LoRA as another program may write it, with other values in peft's file."""
    saved(folder, "lora", NODE)
    (folder / "base.json").unlink()
    told = json.loads((folder / "adapter_config.json").read_text()) | changed
    (folder / "adapter_config.json").write_text(json.dumps(told))
    return NODE | {"path": str(folder)}


def test_the_dropout_of_another_programs_training_does_not_act(tmp_path: Path) -> None:
    plain = said(load_policy(altered(tmp_path / "plain"), device="cpu"))
    found = load_policy(altered(tmp_path / "noisy", lora_dropout=0.5), device="cpu")
    assert torch.equal(said(found), plain) and torch.equal(said(found), said(found))


@pytest.mark.parametrize("form", [True, *(pytest.param(form, marks=pytest.mark.slow) for form in ("mini", "bat"))])
def test_a_miss_of_another_program_says_what_it_says_there(tmp_path: Path, form: Any) -> None:
    """peft's own model of it, in each of its forms, with a dropout that its training had."""
    from peft import MissConfig, get_peft_model

    base = load_policy(NODE, device="cpu").network
    chosen = MissConfig(r=4, mini_r=2, init_weights=form, target_modules=["q_proj", "v_proj"], miss_dropout=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft asks transformers for a name that it will drop
        theirs = get_peft_model(base, chosen).eval()
    for name, parameter in theirs.named_parameters():
        if "miss_block" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    theirs.peft_config["default"].base_model_name_or_path = "packaged:tiny"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs.save_pretrained(str(tmp_path))
    with torch.no_grad():
        logits = theirs(input_ids=IDS).logits
    assert torch.equal(said(load_policy(NODE | {"path": str(tmp_path)}, device="cpu")), logits)
    merged = load_merged_policy(NODE | {"path": str(tmp_path)}, device="cpu")
    torch.testing.assert_close(said(merged), logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"peft_type": "IA3"}, "of the kind IA3"),
        ({"peft_type": "BONE"}, "of the kind BONE.*convert-bone-to-miss"),
        ({"modules_to_save": ["embed_tokens"]}, "modules_to_save="),
        ({"trainable_token_indices": [1]}, "trainable_token_indices="),
        ({"bias": "all"}, "bias=all"),
        ({"target_modules": ["nothing"]}, "cannot be put beside its base"),
        ({"r": 2}, "cannot be put beside its base"),
        ({"base_model_name_or_path": None}, r"does not say which model .*model\.base="),
    ],
)
def test_an_adapter_that_would_be_read_in_part_is_refused(tmp_path: Path, changed: dict[str, Any], text: str) -> None:
    with pytest.raises(UserError, match=text):
        load_policy(altered(tmp_path, **changed), device="cpu")


def test_tensors_without_a_layer_are_refused(tmp_path: Path) -> None:
    node = altered(tmp_path)
    tensors = load_file(tmp_path / "adapter_model.safetensors")
    save_file(tensors | {"base_model.model.lm_head.weight": torch.zeros(2)}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(UserError, match=r"without a place in it: \['base_model.model.lm_head.weight'\]"):
        load_policy(node, device="cpu")


@pytest.mark.parametrize("broken", ["adapter_config.json", "adapter_model.safetensors", "base.json"])
def test_a_broken_file_is_named(tmp_path: Path, broken: str) -> None:
    saved(tmp_path, "lora", NODE)
    (tmp_path / broken).write_bytes(b"{broken!")
    with pytest.raises(UserError, match=r"adapter|base\.json"):
        load_policy(NODE | {"path": str(tmp_path)}, device="cpu")


def test_pickled_adapters_are_never_loaded(tmp_path: Path) -> None:
    saved(tmp_path, "lora", NODE)
    (tmp_path / "adapter_model.safetensors").rename(tmp_path / "adapter_model.bin")
    with pytest.raises(UserError, match="pickles are never loaded"):
        load_policy(NODE | {"path": str(tmp_path)}, device="cpu")


def test_an_adapter_is_no_base_of_another_or_of_itself(tmp_path: Path) -> None:
    saved(tmp_path, "lora", NODE)
    told = json.loads((tmp_path / "base.json").read_text()) | {"path": str(tmp_path)}
    (tmp_path / "base.json").write_text(json.dumps(told))
    with pytest.raises(UserError, match="beside another adapter"):
        load_policy(NODE | {"path": str(tmp_path)}, device="cpu")


def test_a_base_that_no_file_names_is_named_by_the_user(tmp_path: Path) -> None:
    node = altered(tmp_path, base_model_name_or_path=None)
    assert load_policy(node | {"base": "packaged:tiny"}, device="cpu").base is not None


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


def test_a_base_is_refused_where_it_is_missing_or_there_is_no_adapter(tmp_path: Path) -> None:
    saved(tmp_path, "lora", NODE)
    with pytest.raises(UserError, match=r"^model\.base=/nowhere: no such folder"):
        load_policy(NODE | {"path": str(tmp_path), "base": "/nowhere"}, device="cpu")
    with pytest.raises(UserError, match=r"^model\.base=packaged:tiny: is not used: packaged:tiny is a model"):
        load_policy(NODE | {"base": "packaged:tiny"}, device="cpu")

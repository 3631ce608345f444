"""A base of 4 bits under an adapter: one policy in sampling, training and after a merge; refusals."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.extras import needs_bitsandbytes
from tests.training.conftest import MetricRows, Runs
from tests.training.conftest import run as run
from tests.training.conftest import steps as steps
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.errors import UserError
from tvo_cli.model import load_policy
from tvo_cli.model.loading.merged_policy import load_merged_policy, save_merged
from tvo_cli.model.loading.quantisation import quantisation_options

IDS = torch.arange(4, 20)[None]
NODE = {"path": "packaged:tiny", "dtype": "float32", "attention": "sdpa", "gradient_checkpointing": False}
CPU = torch.device("cpu")


def test_quantised_weights_without_an_adapter_are_refused() -> None:
    from tvo_cli import config

    chosen = config.compose(["model.quantise=4bit", "output_dir=x"])
    with pytest.raises(UserError, match=r"model.quantise=4bit: .*Add adapter=lora"):
        check_across_keys(chosen)


def test_without_bitsandbytes_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(UserError, match=r"model.quantise=4bit: .*pip install -e '\.\[bitsandbytes\]'"):
        quantisation_options("4bit", CPU, torch.float32)


@needs_bitsandbytes
def test_a_device_without_such_products_is_refused() -> None:
    with pytest.raises(UserError, match=r"model.quantise=4bit: does not run on mps. Take model.quantise=null"):
        quantisation_options("4bit", torch.device("mps"), torch.float32)


@needs_bitsandbytes
def test_a_forward_without_gradients_leaves_the_weights_as_they_were_loaded() -> None:
    """bitsandbytes packs them anew on some CPUs, with scales of bfloat16: another policy."""
    policy = load_policy(NODE | {"quantise": "4bit"}, device="cpu")
    layer = policy.network.model.layers[0].mlp.up_proj
    before, rows = layer.weight.data.clone(), torch.randn(3, layer.in_features)
    with torch.no_grad():
        alone = layer(rows)
    assert torch.equal(layer.weight.data, before)
    trained = layer(rows.requires_grad_())
    torch.testing.assert_close(alone, trained.detach(), rtol=1e-6, atol=1e-6)


@needs_bitsandbytes
def test_a_run_samples_and_trains_one_policy_and_its_merge_says_the_same(
    run: Runs, steps: MetricRows, tmp_path: Path
) -> None:
    folder = run("a", "trainer.steps=2", "adapter=lora", "algorithm=ppo", "model.quantise=4bit")
    assert all(row["policy/mismatch"] < 1e-6 for row in steps(folder))
    node = NODE | {"path": str(folder)}
    trained = load_policy(node, device="cpu")
    assert trained.base is not None and trained.base.quantise == "4bit"
    with torch.no_grad():
        logits = trained.network(input_ids=IDS).logits
        merged = load_merged_policy(node, device="cpu").network(input_ids=IDS).logits
        exported = AutoModelForCausalLM.from_pretrained(save_merged(node, tmp_path / "merged"))(input_ids=IDS).logits
    torch.testing.assert_close(merged, logits, rtol=0, atol=1e-4)
    assert torch.equal(exported, merged)

"""Parameters are counted from the heads of the weights, and are those of the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tvo_cli.errors import UserError
from tvo_cli.model import load_policy
from tvo_cli.model.loading import parameter_count
from tvo_cli.model.model_files.model_location import WEIGHTS
from tvo_cli.model.model_files.stored_shapes import stored_shapes

NODE: dict[str, Any] = {"dtype": "float32", "attention": "sdpa", "gradient_checkpointing": False, "revision": None}
PACKAGED = sorted(path.name for path in WEIGHTS.iterdir() if path.is_dir())


@pytest.mark.parametrize("name", PACKAGED)
def test_the_heads_tell_what_the_network_has(name: str) -> None:
    node = NODE | {"path": f"packaged:{name}"}
    assert stored_shapes(WEIGHTS / name)
    network = load_policy(node, device="cpu").network
    assert parameter_count.parameter_count(node) == sum(p.numel() for p in network.parameters())


def test_tied_weights_are_counted_once(tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        **{"vocab_size": 50, "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1},
        num_attention_heads=2,
        tie_word_embeddings=True,
    )
    network = LlamaForCausalLM(config)
    network.save_pretrained(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{}")
    assert parameter_count.parameter_count({"path": str(tmp_path)}) == sum(p.numel() for p in network.parameters())


def test_without_weights_the_config_tells_and_what_is_no_model_is_said(tmp_path: Path) -> None:
    assert parameter_count.parameter_count({"path": "fresh"}) == 106_304
    with pytest.raises(UserError, match="no such folder"):
        parameter_count.parameter_count({"path": "./nowhere"})
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(UserError):
        parameter_count.parameter_count({"path": str(tmp_path)})

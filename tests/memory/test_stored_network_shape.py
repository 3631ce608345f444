"""The shape of a network from its files is the one that the network has; where files do not tell, it is made."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    MixtralConfig,
    PretrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from tvo_cli.memory import stored_network_shape
from tvo_cli.memory.network_shape import NetworkShape, shape_of_network
from tvo_cli.memory.stored_network_shape import shape_of_model

SMALL: dict[str, Any] = {
    **{"vocab_size": 90, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
}
FROM_FILES = (
    LlamaConfig(**SMALL, tie_word_embeddings=True),
    LlamaConfig(**SMALL, tie_word_embeddings=False, attention_bias=True),
    Qwen2Config(**SMALL, tie_word_embeddings=True),
    Qwen3Config(**SMALL, head_dim=16, tie_word_embeddings=False),
)
MADE = (
    Qwen2Config(**SMALL, use_sliding_window=True, sliding_window=8, max_window_layers=0),
    MistralConfig(**SMALL, sliding_window=8),
    MixtralConfig(**SMALL, num_local_experts=2),
    GPT2Config(vocab_size=90, n_embd=32, n_layer=2, n_head=4, bos_token_id=None, eos_token_id=None),
)


def saved(config: PretrainedConfig, folder: Path) -> tuple[dict[str, Any], NetworkShape]:
    """The node of a network in a folder, and its shape as the network itself has it."""
    network = AutoModelForCausalLM.from_config(config)
    network.save_pretrained(folder)
    (folder / "tokenizer_config.json").write_text("{}")
    return {"path": str(folder)}, shape_of_network(network)


def in_order(shape: NetworkShape) -> NetworkShape:
    return replace(shape, linear=tuple(sorted(shape.linear)))


@pytest.mark.parametrize("config", FROM_FILES, ids=lambda config: config.model_type)
def test_files_tell_what_the_network_has(
    config: PretrainedConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, made = saved(config, tmp_path)
    monkeypatch.setattr(stored_network_shape, "network_without_weights", lambda node: pytest.fail("was made"))
    assert in_order(shape_of_model(node)) == in_order(made)


@pytest.mark.parametrize("config", MADE, ids=lambda config: config.model_type)
def test_of_other_families_the_network_is_made(config: PretrainedConfig, tmp_path: Path) -> None:
    node, made = saved(config, tmp_path)
    assert shape_of_model(node) == made


def test_a_head_that_is_stored_beside_the_embedding_it_is_tied_to_counts_once(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    node, made = saved(LlamaConfig(**SMALL, tie_word_embeddings=True), tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    save_file(
        tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"].clone()}, tmp_path / "model.safetensors"
    )
    assert in_order(shape_of_model(node)) == in_order(made)


@pytest.mark.slow
def test_a_dry_run_imports_no_network_and_no_compiler() -> None:
    code = (
        "import sys; from tvo_cli import config; from tvo_cli.cli.derived_sizes import derived_sizes\n"
        "derived_sizes(config.compose(['output_dir=x']))\n"
        "print([name for name in ('transformers.modeling_utils', 'torch._dynamo') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""Networks of real families in small, and SmolLM2-135M's shape without its weights."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig

from tvo_cli.memory.network_shape import NetworkShape, shape_of_network
from tvo_cli.memory.published_networks import published_shape


def small_llama(*, tied: bool = False, layers: int = 4) -> Any:
    """A Llama whose layers are what its activations are about."""
    config = LlamaConfig(
        vocab_size=200,
        hidden_size=64,
        intermediate_size=176,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=tied,
        attn_implementation="sdpa",
    )
    return AutoModelForCausalLM.from_config(config)


def smollm2_shape() -> NetworkShape:
    """HuggingFaceTB/SmolLM2-135M-Instruct."""
    return _published("HuggingFaceTB/SmolLM2-135M-Instruct")


def qwen2_shape(size: str) -> NetworkShape:
    """Qwen2.5 of a size."""
    return _published(f"Qwen/Qwen2.5-{'' if size == '0.5b' else 'Math-'}{size.upper()}-Instruct")


def small_gpt2() -> Any:
    """A GPT-2 whose dropout is off."""
    return AutoModelForCausalLM.from_config(
        GPT2Config(vocab_size=200, n_embd=64, n_layer=4, n_head=4, bos_token_id=None, eos_token_id=None)
    ).eval()


def gpt2_shape() -> NetworkShape:
    """GPT-2 small."""
    return _shape_without_weights(GPT2Config())


def _published(hub_id: str) -> NetworkShape:
    shape = published_shape(hub_id)
    assert shape is not None
    return shape


def _shape_without_weights(config: Any) -> NetworkShape:
    with torch.device("meta"):
        return shape_of_network(AutoModelForCausalLM.from_config(config))

"""Networks of real families in small, and SmolLM2-135M's shape without its weights."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, Qwen2Config

from tvo_cli.memory.network_shape import NetworkShape, shape_of_network


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
    """HuggingFaceTB/SmolLM2-135M-Instruct, from its published config."""
    return _shape_without_weights(
        LlamaConfig(
            vocab_size=49152,
            hidden_size=576,
            intermediate_size=1536,
            num_hidden_layers=30,
            num_attention_heads=9,
            num_key_value_heads=3,
            tie_word_embeddings=True,
        )
    )


def qwen2_shape(size: str) -> NetworkShape:
    """Qwen2.5 of a size, from its published config."""
    hidden, intermediate, layers, heads, keys, vocabulary, tied = {
        "0.5b": (896, 4864, 24, 14, 2, 151936, True),
        "1.5b": (1536, 8960, 28, 12, 2, 151936, True),
        "7b": (3584, 18944, 28, 28, 4, 152064, False),
    }[size]
    return _shape_without_weights(
        Qwen2Config(
            vocab_size=vocabulary,
            hidden_size=hidden,
            intermediate_size=intermediate,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=keys,
            tie_word_embeddings=tied,
        )
    )


def small_gpt2() -> Any:
    """A GPT-2 whose dropout is off."""
    return AutoModelForCausalLM.from_config(
        GPT2Config(vocab_size=200, n_embd=64, n_layer=4, n_head=4, bos_token_id=None, eos_token_id=None)
    ).eval()


def gpt2_shape() -> NetworkShape:
    """GPT-2 small."""
    return _shape_without_weights(GPT2Config())


def _shape_without_weights(config: Any) -> NetworkShape:
    with torch.device("meta"):
        return shape_of_network(AutoModelForCausalLM.from_config(config))

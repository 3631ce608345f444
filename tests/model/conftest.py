"""Random little networks of several architectures, and a batch with padding on both sides."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GraniteConfig,
    GraniteForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from tests.rollout.full_fp32 import quick_anywhere as quick_anywhere
from tvo_cli.model import Policy
from tvo_cli.model.tiny_model import tiny_network, tiny_tokenizer

SMALL: dict[str, Any] = {
    "vocab_size": 43,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


@pytest.fixture
def policy() -> Policy:
    """An untrained tiny policy whose distributions are far from uniform."""
    tokenizer = tiny_tokenizer()
    network = tiny_network(tokenizer, seed=3).eval()
    with torch.no_grad():
        network.lm_head.weight.mul_(4.0)
    return Policy(network, tokenizer, frozenset({tokenizer.eos_token_id}), tokenizer.pad_token_id)


@pytest.fixture
def rows() -> SimpleNamespace:
    """Prompts of 3, 6 and 4 tokens, responses of 5, 2 and 4, padded to 6 and 5."""
    rng = torch.Generator().manual_seed(1)
    prompt_mask = torch.arange(6) >= 6 - torch.tensor([[3], [6], [4]])
    mask = torch.arange(5) < torch.tensor([[5], [2], [4]])
    prompt_ids = torch.randint(4, 40, (3, 6), generator=rng) * prompt_mask
    response_ids = torch.randint(4, 40, (3, 5), generator=rng) * mask
    return SimpleNamespace(prompt_ids=prompt_ids, prompt_mask=prompt_mask, response_ids=response_ids, mask=mask)


def architectures() -> dict[str, Any]:
    """What makes a small random network of each."""
    gpt2 = {"vocab_size": 43, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "initializer_range": 0.3}
    return {
        "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SMALL, tie_word_embeddings=True)),
        "gemma2": lambda: Gemma2ForCausalLM(Gemma2Config(**SMALL, final_logit_softcapping=3.0)),
        "cohere": lambda: CohereForCausalLM(CohereConfig(**SMALL, logit_scale=0.25)),
        "granite": lambda: GraniteForCausalLM(GraniteConfig(**SMALL, logits_scaling=4.0)),
        "gpt2": lambda: GPT2LMHeadModel(GPT2Config(**gpt2, bos_token_id=1, eos_token_id=2)),
    }

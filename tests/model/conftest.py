"""Random little networks of several architectures, and a batch with padding on both sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from tests.rollout.full_fp32 import quick_anywhere as quick_anywhere
from tvo_cli.model import Policy
from tvo_cli.model.forward_pass import shared_prefix
from tvo_cli.model.forward_pass.hidden_states import predicting_states
from tvo_cli.model.forward_pass.shared_prefix import PrefixSplit
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


def packing_families() -> dict[str, Callable[[], Any]]:
    """What takes packed rows: few and single key heads, biases, tied heads, norms of queries, learned positions."""
    biased = {**SMALL, "num_key_value_heads": 1, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True}
    return {
        **{name: make for name, make in architectures().items() if name != "gemma2"},
        "llama": lambda: LlamaForCausalLM(LlamaConfig(**biased)),
        "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SMALL)),
    }


def without_dropout(make: Callable[[], Any]) -> Any:
    """A random network, as a policy is loaded."""
    torch.manual_seed(0)
    network = make().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return network


def batch(samples: int = 3) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Four left-padded prompts, `samples` responses each, of 0 to 11 tokens."""
    rng = torch.Generator().manual_seed(0)
    prompts, seen = torch.randint(3, 43, (4, 5), generator=rng), torch.ones(4, 5, dtype=torch.bool)
    seen[1, :2] = seen[3, :1] = False
    length = torch.randint(0, 12, (4 * samples,), generator=rng)
    length[:2] = torch.tensor([11, 1])
    mask = torch.arange(12) < length[:, None]
    responses = torch.randint(3, 43, mask.shape, generator=rng)
    return prompts.repeat_interleave(samples, 0), seen.repeat_interleave(samples, 0), responses, mask


@pytest.fixture
def sharing_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share whenever it can be done."""
    monkeypatch.setattr(shared_prefix, "LEAST", 0.0)
    for name in ("COARSE", "FINE"):
        monkeypatch.setattr(shared_prefix, name, PrefixSplit(4, 1, 0.5))


def both(body: Any, network: Any, columns: Sequence[Tensor], monkeypatch: pytest.MonkeyPatch) -> list[list[Tensor]]:
    """States and gradients, shared and by the plain forward."""
    found = []
    for never in (False, True):
        with monkeypatch.context() as patch:
            if never:
                patch.setattr(shared_prefix, "is_worth_sharing", lambda *_: False)
            network.zero_grad()
            states = predicting_states(body, *columns)
            weight = torch.randn(states.shape, generator=torch.Generator().manual_seed(1), dtype=states.dtype)
            (states * weight).sum().backward()
        found.append([states.detach(), *(p.grad.clone() for p in network.parameters() if p.grad is not None)])
    return found

"""Random networks of several families, whose distributions are far from uniform; prompts, and rollouts of them."""

from __future__ import annotations

import copy
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    Gemma3TextConfig,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    OPTConfig,
    PreTrainedConfig,
    Qwen2Config,
)

from tests.model.conftest import SMALL, architectures
from tvo_cli.model import Policy
from tvo_cli.rollout import SamplingParams, generate
from tvo_cli.types import Rollout

WINDOW = 6  # shorter than most prompts and responses together
ENDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
CONFIGS: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**SMALL),
    "qwen2, one layer with a window": Qwen2Config(
        **SMALL, use_sliding_window=True, sliding_window=WINDOW, max_window_layers=1
    ),
    "mistral, every layer with a window": MistralConfig(**SMALL, sliding_window=WINDOW),
    "gemma3": Gemma3TextConfig(**SMALL, sliding_window=WINDOW, layer_types=["sliding_attention", "full_attention"]),
    "opt": OPTConfig(vocab_size=43, hidden_size=32, ffn_dim=48, num_hidden_layers=2, num_attention_heads=4, **ENDS),
    "bloom": BloomConfig(vocab_size=43, hidden_size=32, n_layer=2, n_head=4, initializer_range=0.3, **ENDS),
    "mamba": MambaConfig(vocab_size=43, hidden_size=32, num_hidden_layers=2, state_size=8, **ENDS),
}
ENDING = 7  # tokens that end a response: the first of the vocabulary
EAGER = ("bloom", "mamba")
FAMILIES = [*architectures(), *CONFIGS]


def network_of(name: str) -> Any:
    """A random network whose distributions are far from uniform."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if name in architectures():
            return architectures()[name]().float().eval()
        attention = "eager" if name in EAGER else "sdpa"
        network = AutoModelForCausalLM.from_config(CONFIGS[name], attn_implementation=attention).float().eval()
        if name in ("opt", "mamba"):
            for parameter in network.parameters():
                parameter.data.mul_(2.0 if parameter.dim() > 1 else 1.0)
        return network


def policy_of(policy: Policy, name: str) -> Policy:
    return Policy(network_of(name), copy.copy(policy.tokenizer), frozenset(range(ENDING)), policy.pad_id)


def sums(rng: torch.Generator, count: int) -> list[str]:
    """Prompts of 3 to 21 tokens."""
    terms = torch.randint(1, 11, (count,), generator=rng).tolist()
    return [" + ".join(map(str, torch.randint(0, 10, (n,), generator=rng).tolist())) + " =" for n in terms]


def sampled(policy: Policy, prompts: list[str], sampling: SamplingParams, **more: Any) -> Rollout:
    return generate(policy, prompts, [f"k{i}" for i in range(len(prompts))], sampling, seed=3, **more)

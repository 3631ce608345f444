"""Tiny models in folders, of several architectures and with tokenizers of several kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    Gemma2Config,
    LlamaConfig,
    Mamba2Config,
    MambaConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
)

from tvo_cli.model.tiny_model import tiny_tokenizer

TALK = "{% for m in messages %}{{ m.content }} {% endfor %}{% if not deep is defined %}so {% endif %}"
WORDS = len(tiny_tokenizer())
ENDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
SIZES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 8}
TRANSFORMER = SIZES | {"num_key_value_heads": 2, "intermediate_size": 48, "max_position_embeddings": 64}
STATE = {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}
CONFIGS: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(vocab_size=WORDS, **TRANSFORMER, **ENDS),
    "gemma2": Gemma2Config(vocab_size=WORDS, **TRANSFORMER, **ENDS, final_logit_softcapping=3.0),
    "bloom": BloomConfig(vocab_size=WORDS, hidden_size=32, n_layer=2, n_head=4, **ENDS),
    "mamba": MambaConfig(vocab_size=WORDS, **STATE, **ENDS),
    "mamba2": Mamba2Config(vocab_size=WORDS, **STATE, num_heads=8, head_dim=8, n_groups=1, **ENDS),
}


def save_model(folder: Path, name: str, tokenizer: PreTrainedTokenizerFast | None = None) -> Path:
    """A network whose distributions are far from uniform, in hub format."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = AutoModelForCausalLM.from_config(CONFIGS[name], attn_implementation="eager")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(4.0 if parameter.dim() > 1 else 1.0)
    network.save_pretrained(folder)
    (tokenizer or tiny_tokenizer()).save_pretrained(folder)
    return folder


def talking_tokenizer() -> PreTrainedTokenizerFast:
    """The embedded tokenizer with a chat template, which reads one keyword: deep."""
    made = tiny_tokenizer()
    made.chat_template = TALK
    return made

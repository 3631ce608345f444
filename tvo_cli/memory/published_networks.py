"""Published networks: the shapes of the hub models that conf/model names, for plans where neither files nor hub are."""

from __future__ import annotations

from typing import Any, NamedTuple

from tvo_cli.memory.network_shape import NetworkShape, shape_of_network


class PublishedNetwork(NamedTuple):
    """What memory depends on of a model's config.json, as its authors published it."""

    model_type: str
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    vocab_size: int
    tie_word_embeddings: bool


PUBLISHED = {
    "HuggingFaceTB/SmolLM2-135M-Instruct": PublishedNetwork("llama", 576, 1536, 30, 9, 3, 49152, True),
    "Qwen/Qwen2.5-0.5B-Instruct": PublishedNetwork("qwen2", 896, 4864, 24, 14, 2, 151936, True),
    "meta-llama/Llama-3.2-1B-Instruct": PublishedNetwork("llama", 2048, 8192, 16, 32, 8, 128256, True),
    "Qwen/Qwen2.5-Math-1.5B-Instruct": PublishedNetwork("qwen2", 1536, 8960, 28, 12, 2, 151936, True),
    "Qwen/Qwen2.5-Math-7B-Instruct": PublishedNetwork("qwen2", 3584, 18944, 28, 28, 4, 152064, False),
}  # Gemma 3's layers have windows, whose memory no formula here has


def published_shape(hub_id: str) -> NetworkShape | None:
    """Return the shape of a hub model from its published config; None of a model that is not in the list."""
    published = PUBLISHED.get(hub_id)
    if published is None:
        return None
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    settings: dict[str, Any] = published._asdict()
    config = AutoConfig.for_model(settings.pop("model_type"), **settings)
    with torch.device("meta"):
        return shape_of_network(AutoModelForCausalLM.from_config(config))

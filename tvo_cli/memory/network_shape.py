"""The shape of a network, as far as memory depends on it: counted on torch's meta device, no weights are made."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

ADAPTED = (".lora_", ".miss_")  # in the name of every parameter of an adapter: model/adapters/adapter.py


class LinearLayer(NamedTuple):
    """A linear layer of the backbone: numbers that it reads and writes, a position."""

    name: str  # the last part: q_proj
    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """Numbers of parameters, and the widths that activations and caches have."""

    parameters: int
    embedding: int  # parameters of the input embedding, V·H
    tied: bool  # whether the output head is the input embedding
    layers: int
    hidden: int  # H
    intermediate: int  # I, of what one token passes through: of a mixture, its experts together
    queries: int  # heads × width of a head
    keys: int  # key-value heads × width of a head
    vocabulary: int  # V
    plain_cache: bool = True  # of every layer: then responses share their prompt's forward
    packs: bool = True  # whether transformers hands attention the layout of a packed row: as its own class says
    heads: int = 0
    linear: tuple[LinearLayer, ...] = ()  # without the output head: what an adapter stands beside

    @property
    def body(self) -> int:
        """Parameters without an output head of its own: what a critic copies."""
        return self.parameters if self.tied else self.parameters - self.embedding


def shape_of_network(network: Any) -> NetworkShape:
    """Return the shape of a transformers causal LM, on any device."""
    from tvo_cli.model.forward_pass.cache_support import supports_kv_cache

    config = network.config.get_text_config()
    heads = int(getattr(config, "num_attention_heads", None) or 0)  # 0 where a state takes the place of attention
    width = int(getattr(config, "head_dim", None) or config.hidden_size // max(heads, 1))
    embedding, head = network.get_input_embeddings().weight, network.get_output_embeddings()
    return NetworkShape(
        parameters=sum(_unquantised_numel(name, parameter) for name, parameter in network.named_parameters()),
        embedding=embedding.numel(),
        tied=head is None or head.weight is embedding,
        layers=int(config.num_hidden_layers),
        hidden=int(config.hidden_size),
        intermediate=_intermediate_width(config),
        queries=heads * width,
        keys=int(getattr(config, "num_key_value_heads", None) or heads) * width,
        vocabulary=int(config.vocab_size),
        plain_cache=supports_kv_cache(network.base_model),
        packs=bool(getattr(network, "_supports_attention_backend", False)),
        heads=heads,
        linear=tuple(_linear_layers(network)),
    )


def _unquantised_numel(name: str, parameter: Any) -> int:
    """Return a parameter's numbers in a network's shape, before quantisation packed them; of an adapter's none."""
    packed = getattr(parameter, "quant_state", None)
    return 0 if _is_of_adapter(name) else math.prod(parameter.shape if packed is None else packed.shape)


def _is_of_adapter(name: str) -> bool:
    """Whether a parameter or layer of a network is an adapter's, and so none of the network's own shape."""
    return any(mark in name for mark in ADAPTED)


def _linear_layers(network: Any) -> Iterator[LinearLayer]:
    """Yield the linear layers in a network's shape but the output head, an adapter's own left out."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    head = network.get_output_embeddings()
    for name, module in network.named_modules():
        if module is head or _is_of_adapter(name) or not isinstance(module, nn.Linear | Conv1D):
            continue
        sizes = (module.nx, module.nf) if isinstance(module, Conv1D) else (module.in_features, module.out_features)
        yield LinearLayer(name.removesuffix(".base_layer").rpartition(".")[2], *sizes)


def _intermediate_width(config: Any) -> int:
    """Return the width of the feed-forward part; 4·H where a config leaves it open, as GPT-2's does."""
    experts = int(getattr(config, "num_experts_per_tok", None) or 0)
    if experts:
        return experts * int(getattr(config, "moe_intermediate_size", None) or config.intermediate_size)
    return int(getattr(config, "intermediate_size", None) or getattr(config, "n_inner", None) or 4 * config.hidden_size)

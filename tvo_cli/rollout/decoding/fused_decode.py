"""A fused decoding step for the Llama family: four matrix products a layer where its own forward makes seven.

One token a row is little work, so that what a step costs is mostly the number of its operations. Queries, keys and
values come from one product, gate and up from another. Other families, windows and scaled residuals are decoded by
the network's own step; so is a network of the family whose first small step does not come out the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from tvo_cli.model import Policy
from tvo_cli.model.forward_pass.cache_support import cache_argument, supports_kv_cache
from tvo_cli.model.forward_pass.forward_inputs_and_outputs import token_positions
from tvo_cli.model.forward_pass.output_head import is_plain_linear
from tvo_cli.rollout.decoding.kv_cache import growing_cache
from tvo_cli.rollout.decoding.onednn import onednn_attention

FAMILY = ("llama", "mistral", "qwen2")
LARGEST = 2**24  # parameters of all layers that may be copied; beyond it the products are what costs
TOLERANCE = 1e-4

_checked: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


class _FusedLayer(NamedTuple):
    """One block's matrices, as they are multiplied."""

    inputs: tuple[Tensor, Tensor | None]  # weight [(h + 2k)·D, H] and bias, of queries, keys and values
    out: nn.Linear
    rises: tuple[Tensor, Tensor | None]  # [2I, H], of gate and up
    down: nn.Linear
    norms: tuple[nn.Module, nn.Module]
    activation: Any


@dataclass(frozen=True, slots=True)
class FusedDecoder:
    """A network's layers for decoding, good until its weights change."""

    policy: Policy
    layers: list[_FusedLayer]
    heads: tuple[int, int]  # of queries, of keys

    def step(self, token: Tensor, position: Tensor, attention: Tensor | None, cache: DynamicCache) -> Tensor:
        """Logits [n, V] after one token a row: token and position int64 [n], attention [n, L] with the new token's."""
        body = self.policy.network.base_model
        hidden = body.embed_tokens(token)
        cos, sin = (x[:, 0, None] for x in body.rotary_emb(hidden[:, None], position[:, None]))
        seen = _keys_visible_to_step(attention, cache)
        for index, layer in enumerate(self.layers):
            inputs = nn.functional.linear(layer.norms[0](hidden), *layer.inputs)
            hidden = hidden + layer.out(self._attended(inputs, cos, sin, seen, cache, index))
            gate, up = nn.functional.linear(layer.norms[1](hidden), *layer.rises).chunk(2, -1)
            hidden = hidden + layer.down(layer.activation(gate) * up)
        logits: Tensor = self.policy.head(body.norm(hidden))
        return logits

    def _attended(
        self, inputs: Tensor, cos: Tensor, sin: Tensor, seen: Tensor, cache: DynamicCache, index: int
    ) -> Tensor:
        """Attention of one token a row over all before it, [n, h·D]."""
        queries, keys = self.heads
        split = inputs.view(len(inputs), queries + 2 * keys, -1)
        turned = split[:, : queries + keys]
        first, second = turned.chunk(2, -1)
        turned = turned * cos + torch.cat([-second, first], -1) * sin
        key, value = cache.update(turned[:, queries:, None], split[:, queries + keys :, None], index)
        return onednn_attention(turned[:, :queries, None], key, value, seen).flatten(1)


def _keys_visible_to_step(attention: Tensor | None, cache: DynamicCache) -> Tensor:
    """bool [n or 1, 1, 1, S]: the keys of the fused decoding step that hold a token."""
    keys, length = int(cache.get_mask_sizes(1, 0)[0]), int(cache.get_seq_length()) + 1
    if attention is None:
        return (torch.arange(keys) < length)[None, None, None]
    padded: Tensor = nn.functional.pad(attention, (0, keys - attention.shape[1]))
    return padded.bool()[:, None, None]


def fused_decoder(policy: Policy) -> FusedDecoder | None:
    """The network for decoding; None where it is too large to copy or of another family."""
    network = policy.network
    if not _is_made_of_plain_maps(network):
        return None
    if network not in _checked:
        _checked[network] = _can_be_fused(policy) and _decodes_like_the_network(policy)
    return _fuse_network(policy) if _checked[network] else None


def _can_be_fused(policy: Policy) -> bool:
    """What no small step could tell: later weights and longer responses must come out the same too."""
    network = policy.network
    if network.config.model_type not in FAMILY or not policy.head.split or not supports_kv_cache(network.base_model):
        return False
    single = all(parameter.dtype == torch.float32 for parameter in network.parameters())
    return single and sum(p.numel() for p in network.base_model.layers.parameters()) <= LARGEST


def _is_made_of_plain_maps(network: Any) -> bool:
    """Whether every matrix that is joined is all there is to its layer: asked anew for each rollout.

    An adapter's product starts at 0, so that a step of a new network would come out the same, and no later one.
    """
    try:
        blocks = [(block.self_attn, block.mlp) for block in network.base_model.layers]
        joined = [one for attn, mlp in blocks for one in (attn.q_proj, attn.k_proj, attn.v_proj)]
        joined += [one for attn, mlp in blocks for one in (mlp.gate_proj, mlp.up_proj)]
    except AttributeError:
        return False
    return all(is_plain_linear(one) for one in joined)


def _fuse_network(policy: Policy) -> FusedDecoder:
    config = policy.network.config
    layers = [_fuse_layer(block) for block in policy.network.base_model.layers]
    return FusedDecoder(policy, layers, (config.num_attention_heads, config.num_key_value_heads))


def _fuse_layer(block: Any) -> _FusedLayer:
    attention, mlp = block.self_attn, block.mlp
    return _FusedLayer(
        inputs=_fuse_linear_maps(attention.q_proj, attention.k_proj, attention.v_proj),
        out=attention.o_proj,
        rises=_fuse_linear_maps(mlp.gate_proj, mlp.up_proj),
        down=mlp.down_proj,
        norms=(block.input_layernorm, block.post_attention_layernorm),
        activation=mlp.act_fn,
    )


def _fuse_linear_maps(*maps: nn.Linear) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of linear maps of one input as one map."""
    biases = [one.bias for one in maps if one.bias is not None]
    assert len(biases) in (0, len(maps)), "a bias for all of them or for none"
    weight = torch.cat([one.weight.detach() for one in maps])
    return weight, torch.cat([one.detach() for one in biases]) if biases else None


def _decodes_like_the_network(policy: Policy) -> bool:
    """Whether two steps after a left-padded prompt give the network's own logits."""
    network = policy.network
    ids = torch.arange(8).view(2, 4) % network.config.vocab_size
    mask = torch.tensor([[0, 1, 1, 1], [1, 1, 1, 1]])
    places = token_positions(mask)
    caches = [growing_cache(network.config, evenly=True) for _ in range(2)]
    try:
        for cache in caches:
            known = {"attention_mask": mask, "position_ids": places, **cache_argument(network, cache)}
            network(input_ids=ids, use_cache=True, **known)
        quick = _fuse_network(policy)
        for step in range(2):
            mask, at = torch.cat([mask, mask.new_ones(2, 1)], 1), places[:, -1] + 1 + step
            mine = quick.step(ids[:, step], at, mask, caches[0])
            known = {"attention_mask": mask, "position_ids": at[:, None], **cache_argument(network, caches[1])}
            found = network(input_ids=ids[:, step, None], use_cache=True, **known).logits[:, -1]
            theirs = policy.head.decodable.cut(found)
            if not bool((mine - theirs).abs().max() <= TOLERANCE * theirs.abs().max()):
                return False
    except Exception:  # whatever it lacks, it is of another family
        return False
    return True

"""The network as decoding calls it: prompts at once, then one token a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from transformers import DynamicCache

from tvo_cli.model import Policy
from tvo_cli.model.forward_pass.cache_support import cache_argument
from tvo_cli.model.forward_pass.forward_inputs_and_outputs import accepted_arguments, output_states, token_positions
from tvo_cli.model.forward_pass.sequence_packing import ATTENTION
from tvo_cli.rollout.decoding.cache_slots import KeysAndValues
from tvo_cli.rollout.decoding.fused_decode import FusedDecoder, fused_decoder
from tvo_cli.rollout.decoding.kv_cache import growing_cache

EVEN_ROWS = 8  # what is left is a multiple of it under oneDNN, which prepares itself anew for every new shape


@dataclass(frozen=True, slots=True)
class PrefilledPrompts:
    """Prompts [m] that the network has read."""

    cache: DynamicCache
    lengths: tuple[int, ...]  # tokens of each
    logits: Tensor  # [m, V], of the token after each

    @property
    def width(self) -> int:
        """Columns of the cache: tokens of the longest."""
        return max(self.lengths)

    @property
    def layers(self) -> list[KeysAndValues]:
        """Keys and values of each layer."""
        return [(layer.keys, layer.values) for layer in self.cache.layers]

    def only(self, index: int) -> PrefilledPrompts:
        """A copy of one of them, without padding."""
        length, cache = self.lengths[index], DynamicCache()
        for number, held in enumerate(self.layers):
            cache.update(*(x[index : index + 1, :, -length:] for x in held), number)
        return PrefilledPrompts(cache, (length,), self.logits[index : index + 1].clone())


@dataclass(frozen=True, slots=True)
class DecodingNetwork:
    """A policy's network, good for decoding until its weights change."""

    policy: Policy
    fused: FusedDecoder | None  # the network for one token a row, where its family is known
    evenly: bool  # whether shapes are kept few
    even_rows: int  # rows are dropped down to a multiple of it

    @classmethod
    def of(cls, policy: Policy) -> DecodingNetwork:
        """With the fused steps that the network has now."""
        quick = policy.network.config._attn_implementation == ATTENTION
        return cls(policy, fused_decoder(policy) if quick else None, quick, EVEN_ROWS if quick else 1)

    def prefill(self, ids: Tensor, mask: Tensor) -> PrefilledPrompts:
        """Read each prompt once: ids and mask [m, L], left-padded.

        The head is given a row a prompt: of a slice of longer states PyTorch would copy a frozen head for each prompt.
        """
        head, network = self.policy.head, self.policy.network
        reader: Any = network.base_model if head.split else network
        cache = growing_cache(network.config, evenly=self.evenly)
        arguments: dict[str, Any] = {"use_cache": True} | ({} if head.split else {"logits_to_keep": 1})
        if not bool(mask.all()):
            arguments |= {"attention_mask": mask.long(), "position_ids": token_positions(mask)}
        known = accepted_arguments(reader.forward, arguments)
        found = reader(input_ids=ids, **cache_argument(reader, cache), **known)
        return PrefilledPrompts(cache, tuple(mask.sum(1).tolist()), head(output_states(found)[:, -1]))

    def step(self, token: Tensor, position: Tensor, attention: Tensor | None, cache: DynamicCache) -> Tensor:
        """Feed one token a row; the next logits [n, V].

        token and position int64 [n]; attention int64 [n, L], the new token's column included, None without padding.
        """
        if self.fused is not None:
            return self.fused.step(token, position, attention, cache)
        network = self.policy.network
        arguments: dict[str, Any] = {"use_cache": True, "position_ids": position[:, None]}
        if attention is not None:
            arguments["attention_mask"] = attention
        known = accepted_arguments(network.forward, arguments)
        found = network(input_ids=token[:, None], **cache_argument(network, cache), **known)
        return self.policy.head.decodable.cut(found.logits[:, -1])

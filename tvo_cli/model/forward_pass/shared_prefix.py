"""Shared prompt prefix: the responses of a group share their prompt's keys and values, with gradients.

What comes out is what the plain forward of every row gives, within rounding: attention of a response to its prompt
reads the same keys, whose gradients are summed over the group before they go back through the prompt once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from weakref import WeakSet

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from tvo_cli.model.forward_pass import sequence_packing
from tvo_cli.model.forward_pass.cache_support import cache_argument, supports_kv_cache
from tvo_cli.model.forward_pass.forward_inputs_and_outputs import accepted_arguments, output_states, token_positions
from tvo_cli.model.forward_pass.gradient_checkpointing import recompute_where_gradients_flow, recomputes_layers

LEAST = 5e8  # products and sums of the positions saved, from which further forwards pay for themselves
SHARE = 0.15  # of all positions, likewise


_one_forward_only: WeakSet[nn.Module] = WeakSet()


def allow_one_forward_only(body: nn.Module) -> None:
    """Let a network's rows share prompts only where that is one forward, packed: others wait for each of its passes."""
    _one_forward_only.add(body)


class PrefixSplit(NamedTuple):
    """How responses are cut into slices of like length."""

    few: int  # positions that are not cut further
    rows: int  # a slice holds a multiple of them
    like: float  # of the longest response, what each of its slice has at least


COARSE = PrefixSplit(256, 4, 0.5)  # where every slice is a forward of its own
FINE = PrefixSplit(64, 2, 0.8)  # where slices differ in their attention only


def is_worth_sharing(body: nn.Module, prompt_ids: Tensor, prompt_mask: Tensor, mask: Tensor) -> bool:
    """Whether sharing saves enough positions, and the network can: see `can_share`."""
    lengths = mask.sum(1)
    solid = torch.arange(mask.shape[1], device=mask.device) < lengths[:, None]
    if not torch.equal(mask, solid):
        return False
    whole = mask.shape[0] * (prompt_ids.shape[1] + int(lengths.max()))
    _, first = prompt_groups(prompt_ids, prompt_mask)
    slices = slices_of_like_length(lengths, COARSE)
    used = len(first) * prompt_ids.shape[1] + sum(len(rows) * int(lengths[rows[0]]) for rows in slices)
    saved = whole - used
    enough = SHARE * whole <= saved and operations_saved(body, saved) >= LEAST
    return enough and can_share(body, prompt_ids.shape[1] + mask.shape[1])


def can_share(body: nn.Module, length: int) -> bool:
    """Whether rows of so many tokens may share their prompt: packed, or through ordinary keys and values.

    The second needs a cache, which layers that are recomputed in the backward pass do not keep.
    """
    if not supports_kv_cache(body):
        return False
    if body in _one_forward_only:
        return sequence_packing.packs_rows_of(body, length)
    return not recomputes_layers(body) or sequence_packing.packs_rows_of(body, length)


def operations_saved(body: nn.Module, positions: int) -> float:
    """Multiplications and additions of so many positions in the forward pass, attention and embeddings apart."""
    matrices = sum(p.numel() for p in body.parameters() if p.dim() == 2)
    tables = sum(module.weight.numel() for module in body.modules() if isinstance(module, nn.Embedding))
    return 2.0 * positions * (matrices - tables)


def prompt_groups(prompt_ids: Tensor, prompt_mask: Tensor) -> tuple[Tensor, Tensor]:
    """Which run of equal prompts each row belongs to [B], and the first row of each run [P]."""
    both = torch.cat([prompt_ids, prompt_mask.long()], dim=1)
    begins = torch.ones(len(both), dtype=torch.bool, device=both.device)
    begins[1:] = (both[1:] != both[:-1]).any(1)
    return begins.cumsum(0) - 1, begins.nonzero().flatten()


def slices_of_like_length(lengths: Tensor, cut: PrefixSplit) -> Iterator[Tensor]:
    """Rows by falling length, cut where a response is short beside the longest of its slice: row numbers [b]."""
    order = lengths.sort(descending=True, stable=True)
    sizes, begin = order.values.tolist(), 0
    for end in range(1, len(sizes) + 1):
        enough = (end - begin) * sizes[begin] >= cut.few and (end - begin) % cut.rows == 0
        if end == len(sizes) or (enough and sizes[end] < cut.like * sizes[begin]):
            yield order.indices[begin:end]
            begin = end


def shared_prefix_states(
    body: nn.Module, prompt_ids: Tensor, prompt_mask: Tensor, response_ids: Tensor, mask: Tensor
) -> Tensor:
    """[N, H] as `backbone.predicting_states`: each prompt once, then the responses in slices of like length."""
    which, first = prompt_groups(prompt_ids, prompt_mask)
    if sequence_packing.packs_rows_of(body, prompt_ids.shape[1] + mask.shape[1]):
        slices = list(slices_of_like_length(mask.sum(1), FINE))
        prompts = prompt_ids[first], prompt_mask[first]
        return sequence_packing.packed_predicting_states(body, prompts, which, (response_ids, mask), slices)
    recompute_where_gradients_flow(body)
    cache = DynamicCache(config=body.config)
    prompt = _prefill_shared_prompts(body, prompt_ids[first], prompt_mask[first], cache)
    keys = [(layer.keys, layer.values) for layer in cache.layers]
    place = torch.full(mask.shape, -1, device=mask.device)
    place[mask] = torch.arange(int(mask.sum()), device=mask.device)
    found, places = [], []
    for rows in slices_of_like_length(mask.sum(1), COARSE):
        length, own = int(mask[rows].sum(1).max()), which[rows]
        if length == 0:
            continue
        shared = [(key.index_select(0, own), value.index_select(0, own)) for key, value in keys]
        after = _response_states(body, prompt_mask[rows], response_ids[rows, : length - 1], shared)
        begin = prompt.index_select(0, own)[:, None]
        kept = mask[rows, :length]
        found.append((begin if after is None else torch.cat([begin, after], dim=1))[kept])
        places.append(place[rows, :length][kept])
    return torch.cat(found).index_select(0, torch.cat(places).argsort())


def _prefill_shared_prompts(body: nn.Module, ids: Tensor, mask: Tensor, cache: DynamicCache) -> Tensor:
    """The last state of each prompt [P, H]; the cache is filled."""
    arguments: dict[str, Any] = {"use_cache": True}
    if not bool(mask.all()):
        arguments |= {"attention_mask": mask.long(), "position_ids": token_positions(mask)}
    outputs = body(input_ids=ids, **cache_argument(body, cache), **accepted_arguments(body.forward, arguments))
    return output_states(outputs)[:, -1]


def _response_states(
    body: nn.Module, prompt_mask: Tensor, ids: Tensor, keys: list[tuple[Tensor, Tensor]]
) -> Tensor | None:
    """States [b, T − 1, H] of all response tokens but the last; None where there is but one."""
    length = ids.shape[1]
    if length == 0:
        return None
    ids = nn.functional.pad(ids, (0, -length % sequence_packing.TOKENS))
    cache = DynamicCache(config=body.config)
    for layer, (key, value) in zip(cache.layers, keys, strict=True):
        layer.update(key, value)
    arguments: dict[str, Any] = {"use_cache": True}
    if not bool(prompt_mask.all()):
        attention = torch.cat([prompt_mask, prompt_mask.new_ones(ids.shape)], dim=1)
        at = token_positions(attention)[:, prompt_mask.shape[1] :]
        arguments |= {"attention_mask": attention.long(), "position_ids": at}
    outputs = body(input_ids=ids, **cache_argument(body, cache), **accepted_arguments(body.forward, arguments))
    return output_states(outputs)[:, :length]

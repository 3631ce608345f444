"""Prompts written into rows of a cache, columns added and dropped: what each layer holds, and shows to the mask."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache, LlamaConfig, MistralConfig

from tests.model.conftest import SMALL
from tvo_cli.rollout.decoding.cache_slots import shift_columns, write_prompts
from tvo_cli.rollout.decoding.kv_cache import PADDED_TO, growing_cache

WINDOW = 4
LLAMA, MISTRAL = LlamaConfig(**SMALL), MistralConfig(**SMALL, sliding_window=WINDOW)
KINDS = {"growing": (LLAMA, False), "padded": (LLAMA, True), "window": (MISTRAL, False)}


def filled(config: Any, evenly: bool, tokens: Tensor, steps: int) -> DynamicCache:
    """A cache that has read tokens [n, heads, L, width] and then one a step, so many times."""
    cache = growing_cache(config, evenly=evenly)
    for begin, end in (
        (0, tokens.shape[2] - steps),
        *((at, at + 1) for at in range(tokens.shape[2] - steps, tokens.shape[2])),
    ):
        for layer in range(2):
            cache.update(tokens[:, :, begin:end], -tokens[:, :, begin:end], layer)
    return cache


def tokens(rows: int, count: int) -> Tensor:
    return torch.arange(1.0, rows * 2 * count * 4 + 1).view(rows, 2, count, 4)


def held(cache: DynamicCache, layer: int) -> tuple[Tensor, Tensor]:
    """Keys and values, without the room behind the last token."""
    one = cache.layers[layer]
    count = min(one.get_seq_length(), one.keys.shape[2])
    return one.keys[:, :, :count], one.values[:, :, :count]


@pytest.mark.parametrize("steps", [0, 1, PADDED_TO + 1])
@pytest.mark.parametrize("columns", [-3, -1, 2, PADDED_TO + 1])
@pytest.mark.parametrize("kind", list(KINDS))
def test_columns_come_and_go_at_the_left_and_tokens_are_added_at_the_right(kind: str, columns: int, steps: int) -> None:
    whole = tokens(3, 5 + steps)
    cache = filled(*KINDS[kind], whole, steps)
    shift_columns(cache, columns)
    expected = torch.cat([whole.new_zeros(3, 2, max(0, columns), 4), whole[:, :, max(0, -columns) :]], 2)
    for more in range(2):
        reach = WINDOW - 1 if kind == "window" else expected.shape[2]
        for layer in range(2):
            assert cache.layers[layer].get_seq_length() == expected.shape[2]
            keys, values = held(cache, layer)
            assert torch.equal(keys, expected[:, :, -reach:]) and torch.equal(values, -expected[:, :, -reach:])
        new = torch.full((3, 2, 1, 4), 1000.0 + more)
        sizes = cache.get_mask_sizes(1, 0)
        found = [cache.update(new, -new, layer)[0] for layer in range(2)]
        expected = torch.cat([expected, new], 2)
        assert sizes[0] == found[0].shape[2], "the mask is as wide as the keys"
        assert sizes[1] == max(0, expected.shape[2] - WINDOW) * (kind == "window")


@pytest.mark.parametrize("steps", [0, 1, PADDED_TO + 1])
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_prompt_ends_where_the_others_end_and_they_stay(kind: str, steps: int) -> None:
    whole, prompts = tokens(4, 7 + steps), 0.5 * tokens(2, 5)
    cache, read = filled(*KINDS[kind], whole, steps), filled(*KINDS[kind], prompts, 0)
    layers = [(layer.keys, layer.values) for layer in read.layers]
    write_prompts(cache, torch.tensor([3, 1, 0]), layers, torch.tensor([1, 0, 1]))
    reach = WINDOW - 1 if kind == "window" else 5
    for layer in range(2):
        for found, before, new in zip(held(cache, layer), (whole, -whole), (prompts, -prompts), strict=True):
            assert torch.equal(found[2], before[2, :, -found.shape[2] :])
            for slot, source in ((3, 1), (1, 0), (0, 1)):
                assert torch.equal(found[slot, :, -reach:], new[source, :, -reach:])
        assert cache.layers[layer].get_seq_length() == 7 + steps

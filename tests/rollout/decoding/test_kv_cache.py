"""The growing cache against transformers' own: the same tensors through every step that decoding takes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from transformers import DynamicCache, Gemma3TextConfig

from tvo_cli.model import Policy
from tvo_cli.rollout.decoding.kv_cache import AHEAD, PADDED_TO, growing_cache, next_multiple

LAYERS = range(2)


def tokens(rng: torch.Generator, rows: int, count: int) -> Tensor:
    return torch.randn(rows, 2, count, 4, generator=rng)


def updates(
    ours: DynamicCache, theirs: DynamicCache, rng: torch.Generator, rows: int, count: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """What both give back for the same new tokens: keys, then values, of each layer."""
    for layer in LAYERS:
        new = tokens(rng, rows, count), tokens(rng, rows, count)
        yield from zip(ours.update(*new, layer), theirs.update(*new, layer), strict=True)


def same(one: DynamicCache, other: DynamicCache) -> bool:
    return all(
        torch.equal(getattr(one.layers[i], name), getattr(other.layers[i], name))
        for i in LAYERS
        for name in ("keys", "values")
    )


def test_prefill_repeat_steps_and_dropped_rows_are_transformers_own(policy: Policy) -> None:
    rng = torch.Generator().manual_seed(0)
    ours, theirs = growing_cache(policy.network.config), DynamicCache(config=policy.network.config)

    def step(rows: int, count: int = 1) -> None:
        for mine, other in updates(ours, theirs, rng, rows, count):
            assert torch.equal(mine, other)

    step(3, 5)
    for cache in (ours, theirs):
        cache.batch_repeat_interleave(2)
    for _ in range(AHEAD + 3):  # over the end of the first buffer
        step(6)
    kept = torch.tensor([0, 2, 5])
    for cache in (ours, theirs):
        cache.batch_select_indices(kept)
    step(3)
    assert same(ours, theirs)
    assert ours.get_seq_length() == theirs.get_seq_length() == 5 + AHEAD + 4


def test_a_token_is_written_where_the_others_stand(policy: Policy) -> None:
    rng = torch.Generator().manual_seed(0)
    cache = growing_cache(policy.network.config)
    places = []
    for count in (5, 1, 1, 1):
        cache.update(tokens(rng, 2, count), tokens(rng, 2, count), 0)
        places.append(cache.layers[0].keys.data_ptr())
    assert len(set(places[1:])) == 1, "nothing was copied after the first token"


def assert_padded_with_zeros(padded: Tensor, exact: Tensor, length: int, room: int) -> None:
    """The first tokens are the other's, the rest of the buffer is zero."""
    assert padded.shape[-2] == room
    assert torch.equal(padded[..., :length, :], exact)
    assert not padded[..., length:, :].any()


def test_even_rooms_hold_the_same_tokens_and_nothing_behind_them(policy: Policy) -> None:
    rng = torch.Generator().manual_seed(0)
    ours, theirs = growing_cache(policy.network.config, evenly=True), DynamicCache(config=policy.network.config)
    length = 0

    def step(rows: int, count: int = 1) -> None:
        nonlocal length
        length += count
        expected = next_multiple(length, PADDED_TO) if length > count else count
        assert ours.get_mask_sizes(count, 0) == (expected, 0), "the mask is as wide as the keys"
        for mine, other in updates(ours, theirs, rng, rows, count):
            assert_padded_with_zeros(mine, other, length, expected)
        assert ours.get_seq_length() == length

    step(3, 5)
    for cache in (ours, theirs):
        cache.batch_repeat_interleave(2)
    for _ in range(PADDED_TO + 3):  # over the end of the first buffer
        step(6)
    for cache in (ours, theirs):
        cache.batch_select_indices(torch.tensor([0, 2, 5]))
    place = ours.layers[1].keys.data_ptr()
    step(3)
    assert ours.layers[1].keys.data_ptr() == place, "rows that stay go on standing as the product reads them"
    assert ours.is_compileable, "transformers makes no mask for one token otherwise"


def test_a_layer_with_a_window_keeps_the_others_from_even_rooms() -> None:
    config = Gemma3TextConfig(num_hidden_layers=2, layer_types=["sliding_attention", "full_attention"])
    kinds = [type(layer).__name__ for layer in growing_cache(config, evenly=True).layers]
    assert kinds == ["DynamicSlidingWindowLayer", "GrowingLayer"]

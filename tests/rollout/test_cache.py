"""The cache with room ahead holds what transformers' own holds, whatever is done to its rows."""

from __future__ import annotations

import torch
from transformers import DynamicCache, Gemma2Config, Qwen2Config

from tvo_cli.rollout.cache import AHEAD, RoomyLayer, roomy_cache

CONFIG = Qwen2Config(num_hidden_layers=2, hidden_size=8, num_attention_heads=2, num_key_value_heads=1)


def states(rng, rows, tokens):
    return [torch.randn(rows, 1, tokens, 4, generator=rng) for _ in range(2)]


def test_it_grows_repeats_and_selects_like_the_plain_one():
    rng, caches = torch.Generator().manual_seed(0), (DynamicCache(config=CONFIG), roomy_cache(CONFIG))

    def both(act):
        for cache in caches:
            act(cache)

    def append(rows, tokens):
        new = [states(rng, rows, tokens) for _ in range(2)]
        for layer in range(2):
            found = [cache.update(*new[layer], layer) for cache in caches]
            for plain, roomy in zip(*found, strict=True):
                assert torch.equal(plain, roomy)

    append(3, 5)
    both(lambda cache: cache.batch_repeat_interleave(4))
    for _ in range(AHEAD + 3):  # beyond the first room
        append(12, 1)
    both(lambda cache: cache.batch_select_indices(torch.tensor([0, 7, 11])))
    for _ in range(3):
        append(3, 1)
    both(lambda cache: cache.batch_select_indices(torch.tensor([2])))
    append(1, 2)
    assert caches[1].get_seq_length() == caches[0].get_seq_length() == 5 + AHEAD + 3 + 3 + 2


def test_a_token_is_written_and_not_copied():
    layer, rng = RoomyLayer(), torch.Generator().manual_seed(0)
    layer.update(*states(rng, 2, 3))
    layer.update(*states(rng, 2, 1))
    place = layer.keys.data_ptr()
    for _ in range(10):
        layer.update(*states(rng, 2, 1))
    assert layer.keys.data_ptr() == place


def test_sliding_windows_keep_their_own_layers():
    sliding = Gemma2Config(num_hidden_layers=2, hidden_size=8, num_attention_heads=2, num_key_value_heads=1)
    kinds = [type(layer) for layer in roomy_cache(sliding).layers]
    assert kinds.count(RoomyLayer) == [type(layer).__name__ for layer in DynamicCache(config=sliding).layers].count(
        "DynamicLayer"
    )
    assert len(kinds) == 2

"""A cache of keys and values that grows in place: a token is written, what is there is not copied."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

AHEAD = 64  # tokens of room that a growing layer allocates at once


class GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """transformers' dynamic layer without its copy of everything at each token; the same values in the same order."""

    def __init__(self) -> None:
        super().__init__()
        self._rooms: tuple[Tensor | None, Tensor | None] = (None, None)

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Append keys and values [n, heads, tokens, width]; all of them so far."""
        if self.get_seq_length() == 0:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states, value_states
            return self.keys, self.values
        self.keys, first = _appended(self.keys, self._rooms[0], key_states)
        self.values, second = _appended(self.values, self._rooms[1], value_states)
        self._rooms = first, second
        return self.keys, self.values


def _appended(held: Tensor, room: Tensor | None, new: Tensor) -> tuple[Tensor, Tensor]:
    """`held` and `new` together, as a view of the room they stand in; a new room where `held` stands in none."""
    length, end = held.shape[-2], held.shape[-2] + new.shape[-2]
    if room is None or held.data_ptr() != room.data_ptr() or len(held) != len(room) or end > room.shape[-2]:
        room = held.new_empty(*held.shape[:-2], end + AHEAD, held.shape[-1])
        room[..., :length, :] = held
    room[..., length:end, :] = new
    return room[..., :end, :], room


def growing(config: Any) -> DynamicCache:
    """An empty cache for a model; layers with a window, or of another kind, stay transformers' own."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    if cache.layer_class_to_replicate is DynamicLayer:
        cache.layer_class_to_replicate = GrowingLayer
    return cache

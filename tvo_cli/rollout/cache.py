"""A cache of keys and values with room ahead: a new token is written into it, and nothing is copied."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

AHEAD = 64  # tokens of room that are added at a time


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """transformers' growing layer, growing by `AHEAD` tokens at a time instead of by one."""

    keys: Tensor
    values: Tensor
    _room: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append keys and values [n, h, t, D]; all of them so far, as views."""
        if not self.is_initialized or key_states.requires_grad:
            found: tuple[Tensor, Tensor] = super().update(key_states, value_states, *args, **kwargs)
            return found
        length, new = self.keys.shape[-2], key_states.shape[-2]
        room = self._room
        if room is None or room[0].data_ptr() != self.keys.data_ptr() or length + new > room[0].shape[-2]:
            room = self._room = _with_room(self.keys, new), _with_room(self.values, new)
        for whole, states in zip(room, (key_states, value_states), strict=True):
            whole[:, :, length : length + new] = states
        self.keys, self.values = (whole[:, :, : length + new] for whole in room)
        return self.keys, self.values


def _with_room(held: Tensor, new: int) -> Tensor:
    batch, heads, length, width = held.shape
    whole = held.new_empty(batch, heads, length + max(new, AHEAD), width)
    whole[:, :, :length] = held
    return whole


def roomy_cache(config: Any) -> DynamicCache:
    """An empty cache for a model; layers of another kind (sliding windows, states) stay as transformers has them."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache

"""The KV cache of a rollout: its bytes a token, and how many rows of it fit."""

from __future__ import annotations

from tvo_cli.memory.network_shape import NetworkShape

AHEAD = 64  # tokens that a growing cache allocates ahead: rollout/decoding/kv_cache.py
FLOAT = 4


def cache_bytes_per_token(shape: NetworkShape, *, itemsize: int, autocast: bool) -> int:
    """Return layers · K · (bytes of a key + bytes of a value); under autocast keys leave the rotation in float32."""
    return shape.layers * shape.keys * ((FLOAT if autocast else itemsize) + itemsize)


def rows_within_cache(most: int, length: int, bytes_per_token: int, limit: float) -> int:
    """Return how many rows of `length` tokens a cache of `limit` bytes holds: 1 to `most`; a limit of 0 is none."""
    return max(1, min(most, int(limit // (bytes_per_token * (length + AHEAD))))) if limit and bytes_per_token else most

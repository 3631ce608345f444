"""Bytes: those of tensors, and their number as people read it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


def format_bytes(size: float) -> str:
    """Return bytes in decimal units: 1.6 GB, 250 bytes."""
    for unit, scale in UNITS:
        if size >= scale:
            return f"{size / scale:,.1f} {unit}"
    return f"{size:.0f} bytes"


def tensor_bytes(tensors: Iterable[Any]) -> int:
    """Return the bytes of tensors."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

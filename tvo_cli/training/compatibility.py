"""What resume.allow lets differ."""

from __future__ import annotations

from collections.abc import Sequence


def is_allowed(key: str, allowed: Sequence[str]) -> bool:
    """Whether the key, or a node above it, is named."""
    return any(key == one or key.startswith(f"{one}.") for one in allowed)

"""Gradients that a backward pass has left behind."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor


def gradient(of: Tensor) -> Tensor:
    """Its `.grad`, which a backward pass must have made."""
    assert of.grad is not None, "no backward pass has reached it"
    return of.grad


def gradients(of: Iterable[Tensor]) -> list[Tensor]:
    """A copy of each one's gradient, for the next backward pass adds to them."""
    return [gradient(one).clone() for one in of]

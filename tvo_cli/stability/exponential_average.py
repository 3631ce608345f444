"""Exponential moving averages of a metric, for collapse rules that smooth what they watch."""

from __future__ import annotations


def exponential_average(before: float | None, value: float, decay: float) -> float:
    """Exponential moving average that starts at its first value; decay = 0: no smoothing."""
    return value if before is None else decay * before + (1.0 - decay) * value


def steps_of_average(decay: float) -> int:
    """Return (1 + α)/(1 − α), rounded: the steps of a plain mean of the same variance."""
    return round((1.0 + decay) / (1.0 - decay))


def exponential_average_if_given(before: float | None, value: float | None, decay: float) -> float | None:
    """The exponential mean after one more value; a missing value leaves it."""
    return before if value is None else exponential_average(before, value, decay)

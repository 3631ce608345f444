"""Thinning of a curve without hiding anything: the least, the mean and the largest value of every few steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

DIGITS = 5  # significant ones: more than a screen shows


def thin_curve(steps: Sequence[int], values: Sequence[float], most: int) -> dict[str, Any]:
    """Return a curve of at most `most` points, for JSON.

    A short one is whole: `first`, `mean`. Of a longer one every point stands for as many rows, a power of two, so
    that points stay what they are while the curve grows: `first` and `last` step, `low`, `mean`, `high`. NaN in
    `values` is no value, infinity one that is not finite; steps with such a value are in `broken`.
    """
    import numpy as np

    x, y = np.frombuffer(_array_bytes(steps), dtype=np.int64), np.frombuffer(_array_bytes(values), dtype=np.float64)
    broken = x[np.isinf(y)]
    x, y = x[np.isfinite(y)], y[np.isfinite(y)]
    told = {"broken": broken[: max(most, 1)].tolist(), "breaks": int(broken.size), "values": int(y.size)}
    if y.size <= most:
        return {**told, "first": x.tolist(), "mean": _rounded_values(y)}
    width = _rows_a_point(int(y.size), most)
    begins = np.arange(0, y.size, width)
    ends = np.append(begins[1:], y.size)
    mean = np.add.reduceat(y / width, begins) * (width / (ends - begins))  # divided first: a sum may overflow
    return {
        **told,
        "first": x[begins].tolist(),
        "last": x[ends - 1].tolist(),
        "low": _rounded_values(np.minimum.reduceat(y, begins)),
        "mean": _rounded_values(mean),
        "high": _rounded_values(np.maximum.reduceat(y, begins)),
    }


def _rows_a_point(rows: int, most: int) -> int:
    """Return the least power of two of rows a point that leaves at most `most` points."""
    width = 1
    while -(-rows // width) > max(most, 1):
        width *= 2
    return width


def _array_bytes(numbers: Sequence[float]) -> Any:
    """Return the bytes of an array; an empty one, which numpy does not read as one, as no bytes."""
    return numbers if len(numbers) else b""


def _rounded_values(values: Any) -> list[float]:
    """The values of a thinned curve with as many digits as the page shows."""
    return [float(f"{value:.{DIGITS}g}") for value in values.tolist()]

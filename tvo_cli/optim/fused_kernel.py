"""torch's fused optimiser kernel, where the parameters are many enough for that to matter."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

LEAST = 1_000_000  # parameters; below it nothing is gained, and the bits of small runs stay what they were
DEVICES = ("cpu", "cuda")


def with_fused_kernel(make: Callable[..., Optimizer], parameters: Sequence[Tensor]) -> Callable[..., Optimizer]:
    """`make` with fused=True where the optimiser has such a kernel and nobody has decided otherwise.

    It also needs no temporary of the size of a parameter. The step is the same within rounding.
    """
    chosen: dict[str, Any] = make.keywords if isinstance(make, partial) else {}
    known = inspect.signature(make).parameters
    many = sum(p.numel() for p in parameters) >= LEAST
    there = {p.device.type for p in parameters} <= set(DEVICES)
    undecided = chosen.get("foreach") is None and chosen.get("fused") is None
    return partial(make, fused=True) if "fused" in known and many and there and undecided else make

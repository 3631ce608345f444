"""What an optimiser keeps a parameter, and the bytes of all that learns: weights, and what the optimisers keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tvo_cli.byte_sizes import tensor_bytes

PROBED = 4096  # numbers of the parameter that an optimiser is tried on: block-wise ones keep as little for less


def optimizer_bytes_per_parameter(make: Callable[..., Any], dtype: Any) -> float:
    """Return the bytes that an optimiser keeps for each trained number.

    AdamW in float32: m and v, 8; SGD without momentum: 0. Of an optimiser that is not of torch it is asked.
    """
    kept = _numbers_kept_by_torch(make)
    return measured_optimizer_bytes(make, dtype) if kept is None else kept * dtype.itemsize


def _numbers_kept_by_torch(make: Callable[..., Any]) -> int | None:
    """Return the numbers that torch's AdamW or SGD keeps for each trained one; None of any other optimiser.

    To make one imports torch's compiler, which takes a second.
    """
    target, chosen = getattr(make, "func", make), getattr(make, "keywords", {})
    if getattr(target, "__module__", "") == "torch.optim.adamw":
        return 2 + bool(chosen.get("amsgrad"))
    if getattr(target, "__module__", "") == "torch.optim.sgd":
        return int(bool(chosen.get("momentum")))
    return None


def measured_optimizer_bytes(make: Callable[..., Any], dtype: Any) -> float:
    """Return the bytes that an optimiser keeps for each trained number, from one step on a parameter of zeros."""
    import torch

    parameter = torch.nn.Parameter(torch.zeros(PROBED, dtype=dtype))
    parameter.grad = torch.zeros_like(parameter)
    optimizer = make([parameter], lr=1e-3)
    optimizer.step()
    return tensor_bytes(_tensors_of_state(dict(optimizer.state))) // PROBED


def _tensors_of_state(tree: Any) -> list[Any]:
    """Return the tensors of a nested mapping."""
    if isinstance(tree, dict):
        return [tensor for value in tree.values() for tensor in _tensors_of_state(value)]
    return [tree] if hasattr(tree, "element_size") else []

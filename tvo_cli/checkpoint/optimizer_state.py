"""An optimiser's state as named tensors, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

NUMBER = "#number"  # at the end of a name: a number of Python's, which must come back as one


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """An optimiser's state as flat named tensors, "3.exp_avg"; of a mapping in it "3.OUTER.INNER"."""
    named: dict[str, Tensor] = {}
    for index, entries in optimizer.state_dict()["state"].items():
        named |= _flat_state(entries, f"{index}")
    return _each_in_its_own_memory(named)


def restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restore `optimizer_tensors`; the configuration stays the truth about rates and decay."""
    entries: dict[int, dict[str, Any]] = {}
    for flat, value in tensors.items():
        index, *outer, key = flat.removesuffix(NUMBER).split(".")
        node = entries.setdefault(int(index), {})
        for name in outer:
            node = node.setdefault(name, {})
        node[key] = value.item() if flat.endswith(NUMBER) else value.clone()
    optimizer.load_state_dict({"state": entries, "param_groups": optimizer.state_dict()["param_groups"]})


def _flat_state(entries: Mapping[str, Any], place: str) -> dict[str, Tensor]:
    """Tensors by dotted place."""
    named: dict[str, Tensor] = {}
    for key, value in entries.items():
        if isinstance(value, Mapping):
            named |= _flat_state(value, f"{place}.{key}")
        elif isinstance(value, Tensor):
            named[f"{place}.{key}"] = value
        elif value is not None:
            named[f"{place}.{key}{NUMBER}"] = torch.tensor(value, dtype=_number_type(value))
    return named


def _number_type(value: float) -> torch.dtype:
    """Wide enough to hold a number of Python's to the bit."""
    return torch.float64 if isinstance(value, float) else torch.int64


def _each_in_its_own_memory(named: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of tensors that several parameters share: safetensors refuses two names for one memory."""
    seen: set[int] = set()
    found = {}
    for name, value in named.items():
        memory = value.untyped_storage().data_ptr()
        found[name] = value.clone() if memory in seen else value
        seen.add(memory)
    return found

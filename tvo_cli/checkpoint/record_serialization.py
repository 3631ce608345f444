"""Serialisation of records as named tensors and plain JSON, and back: new fields are saved without further code.

A record is a dataclass, a named tuple, or a list, tuple or mapping of such. A tensor that stands in several
places is written once and is one tensor again afterwards.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

import torch
from torch import Tensor

from tvo_cli.checkpoint.tensor_slice import HeldTensor, TensorSlice, values_held, with_values

Tensors = dict[str, HeldTensor]
TENSOR = "$tensor"


def pack_record(record: Any) -> tuple[Tensors, Any]:
    """Tensors by dotted place, and the rest as JSON that names them."""
    tensors: Tensors = {}
    names: dict[int, str] = {}

    def walk(value: Any, place: str) -> Any:
        if isinstance(value, Tensor | TensorSlice):
            if id(value) not in names:
                names[id(value)] = place
                tensors[place] = with_values(value, _serializable_copy(values_held(value)))
            return {TENSOR: names[id(value)], "on": values_held(value).device.type}
        if fields := _record_fields(value):
            return {name: walk(getattr(value, name), f"{place}.{name}".lstrip(".")) for name in fields}
        if isinstance(value, Mapping):
            return {str(name): walk(child, f"{place}.{name}") for name, child in value.items()}
        if isinstance(value, list | tuple):
            return [walk(child, f"{place}.{index}") for index, child in enumerate(value)]
        return value

    return tensors, walk(record, "")


def unpack_record(kind: Any, plain: Any, tensors: Mapping[str, HeldTensor], device: torch.device) -> Any:
    """The record of type `kind` that was packed; what was off the CPU goes to `device`."""
    placed: Tensors = {}

    def tensor(found: Mapping[str, str]) -> HeldTensor:
        name = found[TENSOR]
        if name not in placed:
            held = tensors[name]
            placed[name] = held if found["on"] == "cpu" else with_values(held, values_held(held).to(device))
        return placed[name]

    return _unpack_value(kind, plain, tensor)


def _unpack_value(kind: Any, plain: Any, tensor: Callable[[Mapping[str, str]], HeldTensor]) -> Any:
    """A value of a record out of the checkpoint's plain JSON, by its declared type; tensors by name."""
    if plain is None:
        return None
    if isinstance(plain, Mapping) and TENSOR in plain:
        return tensor(plain)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _unpack_value(next(one for one in inner if one is not type(None)), plain, tensor)
    if origin in (tuple, list):
        each = inner[:1] * len(plain) if origin is list or inner[-1] is Ellipsis else inner
        return origin(_unpack_value(one, child, tensor) for one, child in zip(each, plain))
    if isinstance(plain, Mapping) and inner:
        return {name: _unpack_value(inner[-1], child, tensor) for name, child in plain.items()}
    if isinstance(kind, type) and (dataclasses.is_dataclass(kind) or hasattr(kind, "_fields")):
        hints = get_type_hints(kind, localns={"Tensor": Tensor})
        return kind(**{name: _unpack_value(hints[name], child, tensor) for name, child in plain.items()})
    return plain


def _record_fields(value: Any) -> list[str]:
    """What the constructor of a record takes."""
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value) if field.init]
    return list(getattr(value, "_fields", ()))


def _serializable_copy(value: Tensor) -> Tensor:
    """A contiguous tensor with a storage of its own: safetensors refuses two names for one memory."""
    value = value.detach().contiguous()
    shares = value.untyped_storage().nbytes() != value.numel() * value.element_size()
    return value.clone() if shares else value

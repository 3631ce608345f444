"""An optimiser's state as tensors named by the parameters that they belong to, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tvo_cli.checkpoint.sharded_parameters import held_tensor, is_sharded, placed_as
from tvo_cli.checkpoint.tensor_slice import HeldTensor, values_held, with_values
from tvo_cli.errors import UserError

NUMBER = "#number"  # at the end of a name: a number of Python's, which must come back as one
OF = "|"  # between a parameter's name and what is held of it; before there were names: "3.exp_avg", by index


def optimizer_tensors(optimizer: Optimizer, network: nn.Module) -> dict[str, HeldTensor]:
    """An optimiser's state as flat named tensors, "head.weight|exp_avg"; of a mapping in it "head.weight|OUTER.INNER".

    The names are those of the network's `named_parameters`. Of a sharded parameter's state the rows that are here.

    Raises:
        UserError: a state of a sharded parameter is neither rows of a tensor nor the same on every rank.
    """
    named: dict[str, HeldTensor] = {}
    names, own = _names_by_index(optimizer, network), _optimizer_parameters(optimizer)
    for index, entries in optimizer.state_dict()["state"].items():
        found = _flat_state(entries, f"{names[index]}{OF}")
        if is_sharded(own[index]):
            _check_rows_or_numbers(optimizer, found)
        named |= found
    return _each_in_its_own_memory(named)


def restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, HeldTensor], network: nn.Module) -> None:
    """Restore `optimizer_tensors`; the configuration stays the truth about rates and decay.

    State by index, as it was written before it had names, is read by the order of the optimiser's parameters.

    Raises:
        KeyError: it is the state of a parameter that this optimiser does not have.
    """
    names = _names_by_index(optimizer, network)
    own = _optimizer_parameters(optimizer)
    entries: dict[int, dict[str, Any]] = {}
    for flat, value in tensors.items():
        index, place = _index_and_place(flat, names)
        node = entries.setdefault(index, {})
        *outer, key = place.removesuffix(NUMBER).split(".")
        for inner in outer:
            node = node.setdefault(inner, {})
        node[key] = _state_value(value, own[index], is_number=flat.endswith(NUMBER))
    optimizer.load_state_dict({"state": entries, "param_groups": optimizer.state_dict()["param_groups"]})


def parameter_of_state(flat: str) -> str:
    """The name of the parameter that a tensor of an optimiser's state belongs to."""
    return flat.partition(OF)[0]


def _index_and_place(flat: str, names: Sequence[str]) -> tuple[int, str]:
    """Which of the optimiser's parameters a stored tensor belongs to, and what it is of its state."""
    name, separator, place = flat.partition(OF if OF in flat else ".")
    if separator == OF and name in names:
        return names.index(name), place
    if separator == "." and name.isdecimal() and int(name) < len(names):
        return int(name), place
    raise KeyError(f"the optimiser has no parameter {name}, and the checkpoint has a state of it")


def _names_by_index(optimizer: Optimizer, network: nn.Module) -> list[str]:
    """The parameters' names in the order in which an optimiser counts them.

    Raises:
        KeyError: the optimiser moves a parameter that is none of the network's.
    """
    own = list(map(id, _optimizer_parameters(optimizer)))
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    if not names.keys() >= set(own):  # FSDP2 has put whole ones in their place for a forward; this puts them back
        names = _names_by_first_place(network.state_dict(keep_vars=True))
    return [names[one] for one in own]


def _optimizer_parameters(optimizer: Optimizer) -> list[Tensor]:
    """An optimiser's parameters, in the order in which it counts them."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _check_rows_or_numbers(optimizer: Optimizer, state: Mapping[str, HeldTensor]) -> None:
    """Refuse what only rank 0 would save of a state that differs on every rank, as the maxima of 8-bit blocks do."""
    for name, held in state.items():
        if isinstance(held, Tensor) and held.numel() > 1:
            problem = f"keeps {name}, of which every rank has another: no checkpoint could hold it."
            raise UserError(
                "optimizer", type(optimizer).__name__, problem, "Take optimizer=adamw, or parallel=replicate."
            )


def _names_by_first_place(named: Mapping[str, Tensor]) -> dict[int, str]:
    """A tied parameter has the first of its names, as in `named_parameters`."""
    return {id(parameter): name for name, parameter in reversed(list(named.items()))}


def _state_value(value: HeldTensor, parameter: Tensor, *, is_number: bool) -> Any:
    """A stored number or tensor as the optimiser's state keeps it for its parameter."""
    if is_number:
        return values_held(value).item()
    return placed_as(with_values(value, values_held(value).clone()), parameter)


def _flat_state(entries: Mapping[str, Any], place: str) -> dict[str, HeldTensor]:
    """Tensors by dotted place."""
    named: dict[str, HeldTensor] = {}
    for key, value in entries.items():
        if isinstance(value, Mapping):
            named |= _flat_state(value, f"{place}{key}.")
        elif isinstance(value, Tensor):
            named[f"{place}{key}"] = held_tensor(value)
        elif value is not None:
            named[f"{place}{key}{NUMBER}"] = torch.tensor(value, dtype=_state_number_dtype(value))
    return named


def _state_number_dtype(value: float) -> torch.dtype:
    """Wide enough to hold a number of Python's to the bit."""
    return torch.float64 if isinstance(value, float) else torch.int64


def _each_in_its_own_memory(named: Mapping[str, HeldTensor]) -> dict[str, HeldTensor]:
    """Copies of an optimiser's tensors that several parameters share: safetensors refuses two names for one memory."""
    seen: set[int] = set()
    found: dict[str, HeldTensor] = {}
    for name, held in named.items():
        memory = values_held(held).untyped_storage().data_ptr()
        found[name] = with_values(held, values_held(held).clone()) if memory in seen else held
        seen.add(memory)
    return found

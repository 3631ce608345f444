"""An optimiser's state as named tensors: numbers, mappings and shared tables come back, by name and by index of old."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from tests.golden.test_earlier_release import MADE
from tvo_cli.checkpoint.optimizer_state import optimizer_tensors, parameter_of_state, restore_optimizer
from tvo_cli.checkpoint.tensor_slice import HeldTensor, values_held, whole_values

TABLE = torch.linspace(-1, 1, 256)
ADAMW = ("step", "exp_avg", "exp_avg_sq")


class Odd(torch.optim.SGD):
    """Holds what libraries hold: a number of Python's, a mapping, one table for all parameters, nothing at all."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                state["step"] = state.get("step", 0) + 1
                state["decay"] = 0.1
                state["wrapped"] = {"codes": torch.full((3,), 7, dtype=torch.uint8), "table": TABLE}
                state["unused"] = None


class Layers(nn.Module):
    """Parameters in layers, the first of them frozen: index and name are not the same order of things."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(2, 2, bias=False) for _ in range(3))
        self.layers[0].requires_grad_(False)
        for number, parameter in enumerate(self.parameters()):
            nn.init.constant_(parameter, float(number))

    def trained(self) -> list[nn.Parameter]:
        """What an optimiser is made of."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]


def stepped(kind: Any, network: Layers, steps: int = 1) -> Any:
    """An optimiser of the network after some steps, of which each parameter has gradients of its own."""
    optimizer = kind(network.trained(), lr=0.1)
    for count in range(steps):
        for parameter in network.trained():
            parameter.grad = parameter.detach() + count + torch.tensor([[0.1, -2.0], [3.0, 0.0]])
        optimizer.step()
    return optimizer


def by_index(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state as it was written before it had names."""
    entries = optimizer.state_dict()["state"]
    return {f"{index}.{key}": value for index, found in entries.items() for key, value in found.items()}


def through_a_file(place: Path, tensors: dict[str, HeldTensor]) -> dict[str, HeldTensor]:
    """Written, which refuses one memory under two names, and read."""
    save_file({name: whole_values(held, name) for name, held in tensors.items()}, place / "state.safetensors")
    return {**load_file(place / "state.safetensors")}


def test_what_comes_back_is_of_the_same_type_and_the_same_bits(tmp_path: Path) -> None:
    network = Layers()
    first, second = stepped(Odd, network), Odd(network.trained(), lr=0.1)
    restore_optimizer(second, through_a_file(tmp_path, optimizer_tensors(first, network)), network)
    for found in second.state.values():
        assert type(found["step"]) is int and found["step"] == 1
        assert type(found["decay"]) is float and found["decay"] == 0.1
        assert found["wrapped"]["codes"].tolist() == [7, 7, 7] and torch.equal(found["wrapped"]["table"], TABLE)
        assert "unused" not in found
    assert len(second.state) == 2


def test_the_names_are_those_of_the_network_and_of_the_state() -> None:
    network = Layers()
    tensors = optimizer_tensors(stepped(torch.optim.AdamW, network), network)
    trained = ["layers.1.weight", "layers.2.weight"]
    assert set(tensors) == {f"{name}|{key}" for name in trained for key in ADAMW}
    assert {parameter_of_state(name) for name in tensors} == set(trained)
    odd = optimizer_tensors(stepped(Odd, network), network)
    assert {name for name in odd if name.startswith("layers.1.")} == {
        *("layers.1.weight|step#number", "layers.1.weight|decay#number"),
        *("layers.1.weight|wrapped.codes", "layers.1.weight|wrapped.table"),
    }


def test_a_name_finds_its_parameter_in_whatever_order_the_optimiser_has_them() -> None:
    network = Layers()
    tensors = optimizer_tensors(stepped(torch.optim.AdamW, network), network)
    turned = torch.optim.AdamW(network.trained()[::-1], lr=0.1)
    restore_optimizer(turned, tensors, network)
    moments = {name: turned.state[parameter]["exp_avg"] for name, parameter in network.named_parameters()
               if parameter.requires_grad}  # fmt: skip
    assert all(torch.equal(value, whole_values(tensors[f"{name}|exp_avg"], name)) for name, value in moments.items())
    assert not torch.equal(moments["layers.1.weight"], moments["layers.2.weight"]), "the test tells nothing"


def test_state_by_index_is_read_by_the_order_of_the_optimisers_parameters(tmp_path: Path) -> None:
    network = Layers()
    first, second = stepped(torch.optim.AdamW, network, 2), torch.optim.AdamW(network.trained(), lr=0.1)
    restore_optimizer(second, through_a_file(tmp_path, {**by_index(first)}), network)
    for parameter in network.trained():
        assert all(torch.equal(first.state[parameter][key], second.state[parameter][key]) for key in ADAMW)


@pytest.mark.parametrize("name", ["layers.0.weight|exp_avg", "other|exp_avg", "2.exp_avg", "x.exp_avg"])
def test_the_state_of_another_parameter_is_refused(name: str) -> None:
    network = Layers()
    optimizer = torch.optim.AdamW(network.trained(), lr=0.1)
    with pytest.raises(KeyError, match=f"no parameter {name.split('|')[0].removesuffix('.exp_avg')},"):
        restore_optimizer(optimizer, {name: torch.zeros(2, 2)}, network)


def test_the_moments_of_release_0_1_come_to_their_parameters() -> None:
    """Its file has them by index; the embedding's are the only ones of its shape, a layer's weights have many alike."""
    folder = MADE / "run" / "checkpoints" / "step-000002"
    stored = load_file(folder / "optimizer.safetensors")
    network = AutoModelForCausalLM.from_pretrained(folder / "policy", dtype=torch.float32)
    optimizer = torch.optim.AdamW(network.parameters())
    restore_optimizer(optimizer, {**stored}, network)
    named = optimizer_tensors(optimizer, network)
    order = [name for name, _ in network.named_parameters()]
    assert len(named) == len(stored) == 3 * len(order)
    for index, name in enumerate(order):
        assert all(torch.equal(whole_values(named[f"{name}|{key}"], name), stored[f"{index}.{key}"]) for key in ADAMW)


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.Adagrad, torch.optim.NAdam, torch.optim.RMSprop])
def test_the_next_step_of_torchs_optimisers_is_the_same(kind: Any) -> None:
    one, other = Layers(), Layers()
    first, second = stepped(kind, one, 2), kind(other.trained(), lr=0.1)
    restore_optimizer(second, optimizer_tensors(first, one), other)
    other.load_state_dict(one.state_dict())
    for network, optimizer in ((one, first), (other, second)):
        for parameter in network.trained():
            parameter.grad = 2 * torch.ones_like(parameter)
        optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters()))


def test_an_optimiser_goes_on_as_if_nothing_had_happened() -> None:
    def steps(count: int, restored: tuple[Tensor, dict[str, Tensor]] | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        network = torch.nn.ParameterDict({"weight": torch.ones(3)})
        weight, optimizer = network["weight"], torch.optim.AdamW(network.parameters(), lr=0.1)
        for k in range(count):
            if restored and k == 2:
                with torch.no_grad():
                    weight.copy_(restored[0])
                optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
                restore_optimizer(optimizer, restored[1], network)
            weight.grad = torch.tensor([1.0, -2.0, 0.5]) * (k + 1)
            optimizer.step()
        state = optimizer_tensors(optimizer, network)
        return weight.detach().clone(), {name: values_held(value).clone() for name, value in state.items()}

    middle = steps(2)
    assert middle[1].keys() == {"weight|step", "weight|exp_avg", "weight|exp_avg_sq"}
    assert torch.equal(steps(5)[0], steps(5, middle)[0])

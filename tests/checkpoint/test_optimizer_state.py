"""An optimiser's state as tensors: numbers, mappings and shared tables come back as what they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tvo_cli.checkpoint.optimizer_state import optimizer_tensors, restore_optimizer

TABLE = torch.linspace(-1, 1, 256)


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


def two_parameters() -> list[nn.Parameter]:
    return [nn.Parameter(torch.ones(3)) for _ in range(2)]


def test_what_comes_back_is_of_the_same_type_and_the_same_bits(tmp_path: Path) -> None:
    first, second = (Odd(two_parameters(), lr=0.1) for _ in range(2))
    first.step()
    save_file(optimizer_tensors(first), tmp_path / "state.safetensors")  # refuses one memory under two names
    restore_optimizer(second, load_file(tmp_path / "state.safetensors"))
    for found in second.state.values():
        assert type(found["step"]) is int and found["step"] == 1
        assert type(found["decay"]) is float and found["decay"] == 0.1
        assert found["wrapped"]["codes"].tolist() == [7, 7, 7] and torch.equal(found["wrapped"]["table"], TABLE)
        assert "unused" not in found
    assert len(second.state) == 2


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.Adagrad, torch.optim.NAdam, torch.optim.RMSprop])
def test_the_next_step_of_torchs_optimisers_is_the_same(kind: Any) -> None:
    (one, other), gradient = (two_parameters()[:1] for _ in range(2)), torch.tensor([0.1, -2.0, 3.0])
    first, second = kind(one, lr=0.1), kind(other, lr=0.1)
    for optimizer, parameter in ((first, one[0]), (None, other[0]), (first, one[0])):
        parameter.grad = gradient.clone()
        if optimizer is not None:
            optimizer.step()
    restore_optimizer(second, optimizer_tensors(first))
    with torch.no_grad():
        other[0].copy_(one[0])
    for optimizer, parameter in ((first, one[0]), (second, other[0])):
        parameter.grad = 2 * gradient
        optimizer.step()
    assert torch.equal(one[0], other[0])

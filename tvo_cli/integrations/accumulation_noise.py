"""How noisy a gradient is, read from the accumulation steps of somebody else's trainer.

Each backward pass of an accumulation is a part of the step's gradient; stability/gradient_noise.py has the equation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from tvo_cli.stability.gradient_noise import GradientNoiseReading, GradientNoiseSmoother, part_gradient_norm


class AccumulationNoise:
    """Reads ‖g_i‖² of every backward pass and ‖Σ g_i‖² of the step by hooks; no copy of a gradient is kept.

    `begin_step`, `end_part` after each pass but the last, `end_step` after the last, before anything sets gradients
    to zero. Of several processes each reads its own share of the step.
    """

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        """Watch the parameters that learn."""
        self._parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self._handles: list[RemovableHandle] = []
        self._part: dict[int, Tensor] = {}
        self._whole: dict[int, Tensor] = {}
        self._squares: list[float] = []
        self._sound = True
        self._smoother = GradientNoiseSmoother()

    def attach(self) -> None:
        """Begin to look."""
        for index, parameter in enumerate(self._parameters):
            self._handles.append(parameter.register_hook(self._part_hook(index)))
            self._handles.append(parameter.register_post_accumulate_grad_hook(self._whole_hook(index)))

    def detach(self) -> None:
        """Look no more."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def begin_step(self) -> None:
        """Forget the step before."""
        self._part, self._whole, self._squares, self._sound = {}, {}, [], True

    def end_part(self) -> None:
        """One backward pass is over."""
        self._squares.append(_sum_of_squared_norms(self._part.values()))
        self._part = {}

    def end_step(self, rollouts: int) -> dict[str, float]:
        """Return the metrics of the step; none where a pass gave no gradient or a parameter got two.

        Args:
            rollouts: responses in all passes of the step.
        """
        self.end_part()
        total = _sum_of_squared_norms(self._whole.values())
        parts = [square for square in self._squares if square > 0.0]
        if not self._sound or len(parts) < 2 or not math.isfinite(total + sum(parts)):
            return {}
        reading = GradientNoiseReading(math.fsum(parts), total, len(self._squares), rollouts, rollouts)
        return reading.metrics() | self._smoother(reading)

    def _part_hook(self, index: int) -> Callable[[Tensor], None]:
        def record(gradient: Tensor) -> None:
            self._sound &= index not in self._part  # re-entrant checkpointing: the parts are not whole
            self._part[index] = part_gradient_norm(gradient.detach())

        return record

    def _whole_hook(self, index: int) -> Callable[[Tensor], None]:
        def record(parameter: Tensor) -> None:
            if parameter.grad is not None:
                self._whole[index] = part_gradient_norm(parameter.grad.detach())

        return record


def _sum_of_squared_norms(norms: Iterable[Tensor]) -> float:
    """Σ‖g_i‖² of a pass or of the whole step over all parameters, with one wait for the device; 0 of nothing."""
    found = [norm.to("cpu", torch.float64, non_blocking=False) for norm in norms]
    return float(torch.stack(found).square().sum()) if found else 0.0

"""Lion: every coordinate moves by the rate, in the direction of the sign of an interpolated momentum."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class Lion(Optimizer):
    """u = sign(β₁m + (1 − β₁)g);  θ ← (1 − ηsλ)θ − ηs·u;  m ← β₂m + (1 − β₂)g, with sign(0) = 0.

    Chen et al. 2023, arXiv:2302.06675. With decoupled decay λ it minimises the loss over the box max|θ| ≤ 1/λ: weights
    outside shrink into it at a rate of λ, and inside a Lyapunov function falls (Chen et al. 2024, arXiv:2310.05898).
    A batch without an advantage still moves by its momentum. One number a parameter is kept.

    Fidelity: paper (the update against a slow loop, exact).

    lr_scale: s, what is taken of a rate that was chosen for AdamW; the papers take a third to a tenth. 1: the rate.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        betas: Sequence[float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        lr_scale: float = 1.0,
    ) -> None:
        """Keep a momentum of zeros beside each parameter from its first gradient on."""
        chosen = {"lr": lr, "betas": tuple(betas), "weight_decay": weight_decay, "lr_scale": lr_scale}
        super().__init__(params, chosen)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    _move(parameter, parameter.grad, self.state[parameter], group)
        return loss


def _move(parameter: Tensor, gradient: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> None:
    """Move a parameter by Lion's rule, and its momentum after it."""
    rate, (interpolation, average) = group["lr"] * group["lr_scale"], group["betas"]
    momentum = state.setdefault("momentum", torch.zeros_like(parameter))
    direction = momentum.mul(interpolation).add_(gradient, alpha=1 - interpolation).sign_()
    parameter.mul_(1 - rate * group["weight_decay"]).add_(direction, alpha=-rate)
    momentum.mul_(average).add_(gradient, alpha=1 - average)

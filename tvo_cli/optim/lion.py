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

    `counts_flips` set, it keeps the direction of each coordinate's last update, a byte each, and counts how many turn.

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
        self.counts_flips = False
        self._flipped: list[Tensor] = []  # of each parameter and update, since they were read
        self._compared = 0

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
                    direction = _move(parameter, parameter.grad, self.state[parameter], group)
                    self._count_flips(direction, self.state[parameter])
        return loss

    def share_of_flips(self) -> float | None:
        """Share of coordinates that moved against their update before, over all updates since this was last asked."""
        flipped, compared = self._flipped, self._compared
        self._flipped, self._compared = [], 0
        return sum(int(count) for count in flipped) / compared if compared else None

    def _count_flips(self, direction: Tensor, state: dict[str, Tensor]) -> None:
        """Compare a parameter's direction with its last one, which is the next one's last."""
        before = state.pop("direction", None)
        if not self.counts_flips:
            return
        if before is not None:
            self._flipped.append((direction * before < 0).sum())
            self._compared += direction.numel()
        state["direction"] = direction.to(torch.int8)


def _move(parameter: Tensor, gradient: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> Tensor:
    """Move a parameter by Lion's rule, and its momentum after it; the direction."""
    rate, (interpolation, average) = group["lr"] * group["lr_scale"], group["betas"]
    momentum = state.setdefault("momentum", torch.zeros_like(parameter))
    direction = momentum.mul(interpolation).add_(gradient, alpha=1 - interpolation).sign_()
    parameter.mul_(1 - rate * group["weight_decay"]).add_(direction, alpha=-rate)
    momentum.mul_(average).add_(gradient, alpha=1 - average)
    return direction

"""Lion's readings: how far the weights fill the box of its decay, its Lyapunov function inside, turned updates."""

from __future__ import annotations

import torch
from torch.optim import Optimizer

from tvo_cli.checkpoint.sharded_parameters import held_tensor
from tvo_cli.checkpoint.tensor_slice import values_held
from tvo_cli.optim import Lion
from tvo_cli.parallel.ranks import Ranks


def share_of_box(optimizer: Optimizer) -> float | None:
    """How far the weights here fill the box, λ·max|θ|: above 1 they still shrink into it; None where there is none.

    Chen et al. 2024, arXiv:2310.05898: outside the distance to the box falls as exp(−λt) in the sum of rates; inside
    a Lyapunov function falls.
    """
    if not isinstance(optimizer, Lion):
        return None
    found = [
        group["weight_decay"] * float(values_held(held_tensor(parameter.detach())).abs().max())
        for group in optimizer.param_groups
        for parameter in group["params"]
        if group["weight_decay"] > 0 and parameter.numel()
    ]
    return max(found) if found else None


@torch.no_grad()
def momentum_energy(optimizer: Lion) -> float:
    """What Lion's momentum adds to the loss f in its Lyapunov function inside the box, in units of the loss, ≥ 0.

        H/α = f + (γ/αλ)·K*(λθ) + c/α·(K(m) + K*(λθ) + λ·m·θ)        c = (1 − εγ)/(1 + ελ)

    Chen et al. 2024, arXiv:2310.05898, whose m is the mean of −∇f, ours that of ∇f. K is ‖·‖₁, so K*(λθ) is 0 inside
    the box and infinite outside. With an update for a time of η, β₁ = 1 − εγ, β₂ = 1 − ηγ and γ = α, it returns

        H/α − f = Σ η/(1 − β₂) · β₁/(1 + λη(1 − β₁)/(1 − β₂)) · (|m| + λmθ)

    Along the continuous flow of the whole loss H falls; an update adds an error of the order of η², a batch its noise.
    f is left out: it is the loss over all problems and responses, which no run computes.
    """
    total = 0.0
    for group in optimizer.param_groups:
        rate, decay, (mixed, kept) = group["lr"] * group["lr_scale"], group["weight_decay"], group["betas"]
        factor = rate / (1 - kept) * mixed / (1 + decay * rate * (1 - mixed) / (1 - kept))
        for parameter in group["params"]:
            momentum = optimizer.state[parameter].get("momentum") if parameter in optimizer.state else None
            if momentum is not None:
                total += factor * float((momentum.abs() + decay * momentum * parameter).sum(dtype=torch.float64))
    return total


def lion_readings(optimizer: Optimizer) -> dict[str, float]:
    """The share of turned updates, and inside the box `momentum_energy`; nothing of another optimiser."""
    if not isinstance(optimizer, Lion):
        return {}
    flips, box = optimizer.share_of_flips(), share_of_box(optimizer)
    found = {} if flips is None else {"optimizer/flips": flips}
    return found | ({"optimizer/lyapunov": momentum_energy(optimizer)} if box is None or box <= 1.0 else {})


def weight_box_metrics(optimizer: Optimizer, ranks: Ranks) -> dict[str, float]:
    """`share_of_box` of all ranks' weights; nothing where there is no box."""
    own = share_of_box(optimizer)
    if own is None:
        return {}
    return {"optimizer/box": max(ranks.gather_parts([(ranks.rank, own)], float))}

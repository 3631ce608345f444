"""The box that Lion's decay keeps the weights in: how far they fill it, by which its two phases are told apart."""

from __future__ import annotations

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


def weight_box_metrics(optimizer: Optimizer, ranks: Ranks) -> dict[str, float]:
    """`share_of_box` of all ranks' weights; nothing where there is no box."""
    own = share_of_box(optimizer)
    if own is None:
        return {}
    return {"optimizer/box": max(ranks.gather_parts([(ranks.rank, own)], float))}

"""‖∇L‖²_P of an optimiser step, P the optimiser's own diagonal: what a step of the dissipative flow promises."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer

from tvo_cli.checkpoint.sharded_parameters import held_tensor
from tvo_cli.checkpoint.tensor_slice import TensorSlice, values_held
from tvo_cli.parallel.ranks import Ranks

AT_ONCE = 2**20  # numbers at a time, which a core's cache holds: no temporary of the size of a large parameter
TOGETHER = 16  # small parameters that are read as one


@torch.no_grad()
def preconditioned_square(optimizer: Optimizer, ranks: Ranks) -> float | None:
    """Σ_i P_i g_i² of the step just taken; None for an optimiser whose P is not known here.

    Adam and AdamW: P = 1/(√(v/(1 − β₂^t)) + ε), v of this step, whatever momentum adds. SGD: P = 1.
    """
    if not isinstance(optimizer, Adam | SGD) or any(group.get("amsgrad") for group in optimizer.param_groups):
        return None
    apart, everywhere, sharded = 0.0, 0.0, False
    for group in optimizer.param_groups:
        for owned, sliced, square in _squares_of_group(optimizer, group["params"], group):
            sharded |= sliced
            apart += square if sliced and owned else 0.0
            everywhere += 0.0 if sliced else square
    return math.fsum([everywhere, *(ranks.gather(apart, float) if sharded else ())])


def _squares_of_group(
    optimizer: Optimizer, parameters: Sequence[Tensor], settings: dict[str, object]
) -> Iterator[tuple[bool, bool, float]]:
    """Of the whole parameters and of each sharded one: whether this rank owns it, whether it is a slice, its sum."""
    reached = [parameter for parameter in parameters if parameter.grad is not None]
    held = [held_tensor(parameter.grad) for parameter in reached if parameter.grad is not None]
    moments = [_second_moment(optimizer, parameter) for parameter in reached]
    rows = [(values_held(gradient).flatten(), moment) for gradient, moment in zip(held, moments)]
    root = _root_of_correction(optimizer, reached, settings)
    whole = [pair for pair, one in zip(rows, held) if not isinstance(one, TensorSlice)]
    yield True, False, _sum_of_squares(whole, root, settings)
    for pair, one in zip(rows, held):
        if isinstance(one, TensorSlice):
            yield one.is_owned, True, _sum_of_squares([pair], root, settings)


def _second_moment(optimizer: Optimizer, parameter: Tensor) -> Tensor | None:
    """Adam's second moment of a parameter's held rows; None before the first step."""
    found = optimizer.state[parameter].get("exp_avg_sq")
    return None if found is None else values_held(held_tensor(found)).flatten()


def _root_of_correction(optimizer: Optimizer, parameters: Sequence[Tensor], settings: dict[str, object]) -> float:
    """√(1 − β₂^t), t that of the first parameter: one that some updates do not reach differs by less and less."""
    if not parameters or "exp_avg_sq" not in optimizer.state[parameters[0]]:
        return 1.0
    betas: tuple[float, float] = settings["betas"]  # type: ignore[assignment]
    return math.sqrt(1.0 - betas[1] ** float(optimizer.state[parameters[0]]["step"]))


def _sum_of_squares(pairs: Sequence[tuple[Tensor, Tensor | None]], root: float, settings: dict[str, object]) -> float:
    epsilon = float(settings.get("eps", 0.0))  # type: ignore[arg-type]
    sums, scratch = [], None
    for gradient, moment in _gradient_buckets(pairs):
        g = gradient.float()
        scratch = torch.empty(AT_ONCE, dtype=g.dtype, device=g.device) if scratch is None else scratch
        room = scratch[: len(g)]
        if moment is None:
            torch.mul(g, g, out=room)
        else:
            metric = torch.sqrt(moment.float(), out=room).mul_(1.0 / root).add_(epsilon)
            torch.div(g, metric, out=room).mul_(g)
        sums.append(room.sum())  # not a dot product, whose last bits depend on where its memory lies
    return math.fsum(torch.stack(sums).tolist()) if sums else 0.0


def _gradient_buckets(pairs: Sequence[tuple[Tensor, Tensor | None]]) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Small tensors together, large ones in parts."""
    small = [pair for pair in pairs if len(pair[0]) <= AT_ONCE // TOGETHER]
    for begin in range(0, len(small), TOGETHER):
        gradients, moments = zip(*small[begin : begin + TOGETHER])
        yield torch.cat(gradients), None if moments[0] is None else torch.cat(moments)
    for gradient, moment in pairs:
        if len(gradient) > AT_ONCE // TOGETHER:
            parts = [None] * -(-len(gradient) // AT_ONCE) if moment is None else moment.split(AT_ONCE)
            yield from zip(gradient.split(AT_ONCE), parts)

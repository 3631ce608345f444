"""Clipping by the norm of the whole gradient, which comes out the same however its rows are spread over ranks."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from tvo_cli.checkpoint.sharded_parameters import held_tensor
from tvo_cli.checkpoint.tensor_slice import TensorSlice, values_held
from tvo_cli.parallel.ranks import Ranks

TINY = 1e-6  # as torch.nn.utils.clip_grad_norm_ has it


@torch.no_grad()
def clip_gradients(parameters: Iterable[Tensor], limit: float, ranks: Ranks) -> float:
    """Scale .grad by min(1, limit/(‖g‖ + 1e-6)); ‖g‖ before it, which may not be finite: then nothing is scaled.

    ‖g‖² = Σ over rows of ‖row‖², a row's norm in float32 and their sum in float64. Ranks hold whole rows, so that
    between one process and many the order of that sum is all that differs, in the 16th digit.
    """
    held = [held_tensor(parameter.grad) for parameter in parameters if parameter.grad is not None]
    squares = _gradient_norm_sums([squared_norm(values_held(one)) for one in held])
    apart = [isinstance(one, TensorSlice) for one in held]
    own = math.fsum(s for s, one in zip(squares, held) if isinstance(one, TensorSlice) and one.is_owned)
    everywhere = math.fsum(s for s, sliced in zip(squares, apart) if not sliced)
    norm = math.sqrt(math.fsum([everywhere, *(ranks.gather(own, float) if any(apart) else ())]))
    factor = clip_factor(norm, limit)
    if math.isfinite(norm) and factor < 1.0:
        for one in held:
            values_held(one).mul_(factor)
    return norm


def clip_factor(norm: float, limit: float) -> float:
    """min(1, limit/(‖g‖ + 1e-6))."""
    return min(1.0, limit / (norm + TINY))


def squared_norm(gradient: Tensor) -> Tensor:
    """Σ over rows of ‖row‖², float64 []; a row is what stands under one index of the first dimension."""
    rows = gradient if gradient.ndim < 2 else torch.linalg.vector_norm(gradient.flatten(1), dim=1, dtype=torch.float32)
    return (rows.cpu() if rows.device.type == "mps" else rows).double().square().sum()


def _gradient_norm_sums(found: list[Tensor]) -> list[float]:
    """The sums of squares of the norm to clip by, as numbers: the device is waited for once."""
    sums: list[float] = torch.stack(found).tolist() if found else []
    return sums

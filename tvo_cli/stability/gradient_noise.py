"""Gradient noise: the variance and noise scale of a minibatch's gradient, from the norms of its parts.

A minibatch gradient is a sum of n parts, ĝ = Σ_i g_i, each of equally many whole prompt groups, which are
exchangeable: prompts are the independent unit. From Σ‖g_i‖² and ‖ĝ‖² alone, unbiased (docs/metrics.md),

    tr Cov(ĝ) = n/(n−1) · (Σ_i ‖g_i‖² − ‖ĝ‖²/n),        ‖g‖² = ‖ĝ‖² − tr Cov(ĝ)

Σ‖g_i‖² comes from tensor hooks that see every incoming gradient while .grad accumulates as usual: no
copy of the gradient is kept, but for a part of several passes, whose gradients are summed beside .grad. All
inputs are sums and counts, so that ranks can be added up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

UNRESOLVED = 1e4  # what a ratio to ‖g‖² is cut off at: beyond it the signal is not distinguishable from zero
ONE_SUM = 2**16  # squares that one float32 sum may take


@dataclass(frozen=True, slots=True)
class GradientNoiseReading:
    """Sums and counts of one minibatch, and what follows from them.

    Over ranks: add `part_squares`, `parts`, `rollouts` and `total_rollouts`; `norm_squared` is that of the
    gradient already summed over ranks.
    """

    part_squares: float  # Σ_i ‖g_i‖²
    norm_squared: float  # ‖Σ_i g_i‖², before clipping
    parts: int  # n
    rollouts: int  # responses in the minibatch
    total_rollouts: int  # responses in the whole rollout batch, N

    @property
    def minibatch_variance(self) -> float:
        """Unbiased tr Cov(ĝ) of the minibatch's gradient; negative by rounding alone, which is cut."""
        spread = self.part_squares - self.norm_squared / self.parts
        return max(self.parts / (self.parts - 1) * spread, 0.0)

    @property
    def variance(self) -> float:
        """tr Cov of the mean gradient over all N responses, so that 16×8 and 64×2 compare."""
        return self.minibatch_variance * self.rollouts / self.total_rollouts

    @property
    def signal(self) -> float:
        """Unbiased ‖g‖² of the true gradient; it may come out negative where noise dominates."""
        return self.norm_squared - self.minibatch_variance

    @property
    def normalised_variance(self) -> float:
        """variance/‖g‖², cut off at UNRESOLVED where ‖g‖² is not resolved."""
        return _noise_to_signal(self.variance, self.signal)

    @property
    def noise_scale(self) -> float:
        """B = tr(Σ)/‖g‖² in responses, Σ the covariance of one response's gradient (arXiv:1812.06162)."""
        return self.normalised_variance * self.total_rollouts

    @property
    def resolved(self) -> bool:
        """Whether ‖g‖² came out positive and the ratios are measurements, not the cut-off."""
        return _is_signal_above_noise(self.variance, self.signal)

    def metrics(self) -> dict[str, float]:
        """The step's own reading, unsmoothed."""
        return {
            "gradient/variance": self.variance,
            "gradient/signal": self.signal,
            "gradient/normalised_variance_raw": self.normalised_variance,
            "gradient/noise_scale_raw": self.noise_scale,
        }


class MicroBatchVariance:
    """Collects ‖g_i‖² of the parts of one minibatch, each of as many backward passes.

    >>> weight = torch.ones(1, requires_grad=True)
    >>> reading = MicroBatchVariance([weight])
    >>> for x in (1.0, 3.0):
    ...     with reading.part():
    ...         (weight * x).sum().backward()
    >>> reading.result(16.0, rollouts=2, total_rollouts=2).variance
    4.0
    """

    def __init__(self, parameters: Iterable[Tensor], passes: int = 1) -> None:
        """Watch the parameters that learn."""
        self._passes, self._passed = passes, 0  # of a part; of the part under way
        self._sums: dict[int, Tensor] = {}  # Σ of the gradients of the passes before, by parameter
        self._parameters = [p for p in parameters if p.requires_grad]
        self._parts_seen = list[bool]()  # of each part here: whether a hook has fired
        self.squares: list[Tensor] = []  # ‖g_i‖² of the parts so far

    @contextmanager
    def part(self) -> Iterator[None]:
        """Exactly one backward pass, of its contribution to the minibatch's loss; the last of a part closes it."""
        seen: dict[int, Tensor] = {}
        sums = self._sums if self._passes > 1 else None
        handles = [p.register_hook(_part_norm_hook(seen, i, sums)) for i, p in enumerate(self._parameters)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
        self._passed += 1
        if self._passed == self._passes:
            self._close_part(seen if sums is None else {i: part_gradient_norm(total) for i, total in sums.items()})

    def _close_part(self, norms: Mapping[int, Tensor]) -> None:
        self._parts_seen.append(bool(norms))
        self.squares.append(self._sum(norms.values()))
        self._sums.clear()
        self._passed = 0

    def _sum(self, norms: Iterable[Tensor]) -> Tensor:
        """Σ of squared norms, on the device so that no part waits for it; 0 when nothing had a gradient."""
        device = self._parameters[0].device
        found = [norm.to(device) for norm in norms]
        return torch.stack(found).square().sum() if found else torch.zeros((), device=device)

    def take_squares(self, squares: Sequence[Tensor]) -> None:
        """Take ‖g_i‖² of all parts of the minibatch, in their order, where others have computed some of them."""
        self.squares = list(squares)

    def result(self, gradient_norm_squared: float, *, rollouts: int, total_rollouts: int) -> GradientNoiseReading:
        """The reading, given ‖ĝ‖² before clipping (clip_grad_norm_ returns its root).

        Raises:
            ValueError: fewer than two parts, of which no variance can be read.
            RuntimeError: there is a gradient, and no hook of a part has seen any: others are differentiated.
        """
        if self._parts_seen and not any(self._parts_seen) and gradient_norm_squared > 0:
            raise RuntimeError("the variance reading watches parameters that the backward pass does not reach")
        if len(self.squares) < 2:
            raise ValueError(f"a variance needs at least two parts; there are {len(self.squares)}")
        return GradientNoiseReading(
            part_squares=math.fsum(torch.stack(self.squares).tolist()),
            norm_squared=gradient_norm_squared,
            parts=len(self.squares),
            rollouts=rollouts,
            total_rollouts=total_rollouts,
        )


@dataclass(slots=True)
class GradientNoiseSmoother:
    """Ratio of running sums, not running mean of ratios: a step whose ‖g‖² is near 0 or below does no harm.

    m ← decay·m + x for the variance of one response and for ‖g‖²; decay = 0 recovers the step's own reading.
    """

    decay: float = 0.95
    response_variance: float = 0.0  # N·variance, which does not depend on the batch size
    signal: float = 0.0

    def __call__(self, reading: GradientNoiseReading) -> dict[str, float]:
        """Add a step's reading; the smoothed ratios, and whether they are resolved."""
        total = reading.total_rollouts
        self.response_variance = self.decay * self.response_variance + reading.variance * total
        self.signal = self.decay * self.signal + reading.signal
        variance = self.response_variance / total
        normalised = _noise_to_signal(variance, self.signal)
        return {
            "gradient/normalised_variance": normalised,
            "gradient/noise_scale": normalised * total,
            "gradient/signal_resolved": float(_is_signal_above_noise(variance, self.signal)),
        }

    def state_dict(self) -> dict[str, float]:
        """The two sums."""
        return {"response_variance": self.response_variance, "signal": self.signal}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.response_variance, self.signal = state["response_variance"], state["signal"]


def gradient_log_fluctuation(norms: Sequence[float], before: float | None = None) -> float:
    """How noisy a gradient's norm is, mean |log(‖g_t‖/‖g_{t−1}‖)| over a batch's optimiser steps; free of its scale.

    Args:
        norms: ‖g_t‖ of each step, before clipping.
        before: the last norm of the batch before, when there is one.

    Returns:
        0 where there are no two positive, finite norms in a row: nothing fluctuated.
    """
    chain = ([] if before is None else [before]) + list(norms)
    moves = [abs(math.log(new / old)) for old, new in pairwise(chain) if 0.0 < old < math.inf and 0.0 < new < math.inf]
    return math.fsum(moves) / len(moves) if moves else 0.0


def _noise_to_signal(variance: float, signal: float) -> float:
    if _is_signal_above_noise(variance, signal):
        return variance / signal
    return UNRESOLVED if variance > 0.0 else 0.0


def _is_signal_above_noise(variance: float, signal: float) -> bool:
    return signal > 0.0 and variance < UNRESOLVED * signal


def _part_norm_hook(
    seen: dict[int, Tensor], index: int, sums: dict[int, Tensor] | None = None
) -> Callable[[Tensor], None]:
    """The tensor hook that notes ‖g_i‖ of a parameter in a pass, and adds its gradient to the part's `sums`."""

    def record(gradient: Tensor) -> None:
        if index in seen:
            raise RuntimeError(
                "a parameter received its gradient twice in one part of the variance reading: "
                "one backward pass a part, and no re-entrant gradient checkpointing"
            )
        seen[index] = part_gradient_norm(gradient.detach())
        if sums is not None and index in sums:
            sums[index] += gradient.detach()
        elif sums is not None:
            sums[index] = gradient.detach().clone()

    return record


def part_gradient_norm(gradient: Tensor) -> Tensor:
    """‖g_i‖ of a parameter for the gradient-noise reading, in at least float32, of large ones row by row.

    A single running sum loses 0.5% of 4e7 squares.
    """
    precision = torch.promote_types(gradient.dtype, torch.float32)
    norms = gradient
    if gradient.ndim > 1 and gradient.numel() > ONE_SUM:
        contiguous = min(range(gradient.ndim), key=gradient.stride)
        norms = torch.linalg.vector_norm(gradient, dim=contiguous, dtype=precision)
    norm: Tensor = torch.linalg.vector_norm(norms, dtype=precision)
    return norm

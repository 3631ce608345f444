"""Weights of several rewards that follow from what training finds: by hypervolume, and by gradients.

Lu et al. 2025, arXiv:2509.11452. Fidelity: official code (factors and weights are its own to 1e-15 on random
evaluations and gradients; of points below the reference it counts slices of negative volume, here they add nothing).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

Point = Sequence[float]  # a value an objective, each to be made large, [K]


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """HV: the volume that `points` dominate above `reference`, Π_k of units of the objectives.

    HV = Σ_i [ v(p_i) − HV({min(p_i, p_j) : j > i}) ], v(p) = Π_k max(p_k − ref_k, 0): each point's box without what
    the later ones cover (While et al. 2012, the WFG algorithm). Exponential in K at worst, quick for a few objectives.

    Args:
        points: [N, K].
        reference: [K]; what does not exceed it in every objective adds nothing.
    """
    return _volume(_not_dominated(points), reference)


def _volume(points: Sequence[Point], reference: Point) -> float:
    """HV of points of which none equals or exceeds another everywhere."""
    total = 0.0
    for i, point in enumerate(points):
        covered = [[min(a, b) for a, b in zip(point, other, strict=True)] for other in points[i + 1 :]]
        box = math.prod(max(a - b, 0.0) for a, b in zip(point, reference, strict=True))
        total += box - _volume(_not_dominated(covered), reference) if box else 0.0
    return total


def _not_dominated(points: Sequence[Point]) -> list[Point]:
    """The points that no other one equals or exceeds everywhere; of equal ones the first."""
    kept: list[Point] = []
    for point in points:
        if any(_weakly_dominates(other, point) for other in kept):
            continue
        kept = [other for other in kept if not _weakly_dominates(point, other)] + [point]
    return kept


def _weakly_dominates(one: Point, other: Point) -> bool:
    """Whether a point is at least as good as another in every reward."""
    return all(a >= b for a, b in zip(one, other, strict=True))


def meta_factor(gain: float, *, base: float, scale: float) -> float:
    """M = base + scale·tanh(ΔHV), of the gain ΔHV ≥ 0 in hypervolume. The paper's: 0.5 and 1.5."""
    return base + scale * math.tanh(gain)


def influences(gradients: Tensor, *, normalise: bool) -> Tensor:
    """I_k = ⟨g_k, Σ_j g_j⟩: how much a step along the sum of all objectives' gradients serves objective k, [K].

    Args:
        gradients: g, [K, d].
        normalise: take g_k/‖g_k‖ instead (ours): else the objective of the largest gradient tends to win. A
            gradient of 0 stays 0.
    """
    if normalise:
        norms = gradients.norm(dim=1, keepdim=True)
        gradients = torch.where(norms > 0, gradients / norms, 0.0)
    return gradients @ gradients.sum(0)


def mirror_ascent(weights: Tensor, influence: Tensor, *, rate: float, floor: float) -> Tensor:
    """w ← softmax(log w + rate·I) on the simplex, then at least `floor` each, [K]. The paper's rate: 1e-6/1e-5.

    The floor is ours: a weight of 0 could never come back. What it takes, the weights above it give in proportion
    to what they have beyond it.

    Args:
        weights: w, [K], positive, of sum 1.
        influence: I, [K].
        floor: less than 1/K.
    """
    moved = torch.softmax(weights.log() + rate * influence, 0)
    if bool((moved >= floor).all()):
        return moved
    raised = moved.clamp(min=floor)
    beyond = raised - floor
    return floor + beyond * ((1.0 - floor * len(weights)) / beyond.sum())

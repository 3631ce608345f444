"""Diffusion spectral entropy: how many clusters a set of representations has, on a log scale."""

from __future__ import annotations

import math

import torch
from torch import Tensor

EPS = torch.finfo(torch.float64).eps


def median_distance(points: Tensor) -> float:
    """Median Euclidean distance of two different points of [N, D], in their own units; nan below two."""
    if len(points) < 2:
        return math.nan
    return float(torch.pdist(points.double()).median())


def diffusion_spectral_entropy(points: Tensor, width: float, time: float) -> float:
    """DSE = −Σ p·log₂ p in bits, p = |λ|^t/Σ|λ|^t over the eigenvalues of the diffusion operator; in [0, log₂ N].

        G_ij = exp(−‖x_i − x_j‖²/(2σ²)),  q = G·1,  K = diag(q)^−½·G·diag(q)^−½

    Liao et al. 2023, arXiv:2312.04823. All points equal: 0. All far apart: log₂ N.

    Fidelity: official code (the same entropy to 1e-15 of random points; it too adds a machine epsilon to each p).

    Args:
        points: representations, [N, D]; the cost is N³.
        width: σ in the units of the points. The authors' code has 10 for any scale; frozen at the median distance of
            the first reading, growth of the norms does not read as diversity.
        time: t, diffusion steps; 1 keeps every cluster, larger ones only the coarse.
    """
    exact = points.double()
    kernel = torch.exp(
        -torch.cdist(exact, exact, compute_mode="donot_use_mm_for_euclid_dist").square() / (2 * width**2)
    )
    root = kernel.sum(1).rsqrt()
    weights = torch.linalg.eigvalsh(root[:, None] * kernel * root[None, :]).abs().pow(time)
    shares = weights / weights.sum() + EPS
    return max(float(-(shares * shares.log2()).sum()), 0.0)

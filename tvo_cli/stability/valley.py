"""Thermodynamic readings of a training as noise in a valley: arXiv:2505.10559 (Neural Thermodynamic Laws).

The loss is taken as c(y) + a(y)·x²/2: a river y along which the run moves, valleys x in which noise holds it above
their bottom. What stands here was derived from that picture (docs/results/thermodynamic-laws.md says how far it holds).
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

LEAST = 8  # heats from which a variance is taken


class HeatFluctuation(NamedTuple):
    """Temperature and number of valley directions by the fluctuation of the heat."""

    temperature: float  # T, nats
    directions: float  # N, 1


def heat_fluctuation(heats: Sequence[float]) -> HeatFluctuation | None:
    """T = Var(h)/⟨h⟩ and N = 2·⟨h⟩²/Var(h): h is T/2 times a χ² of N degrees, so ⟨h⟩ = N·T/2 and Var = N·T²/2.

    From heats that are independent, at one rate: readings closer than a valley relaxes are not, and T comes out too
    low. None of fewer than 8, or where the heats are not positive on average.

    Fidelity: notes (the temperature and equipartition are the paper's; that they are read off the fluctuation was
    derived here).
    """
    if len(heats) < LEAST:
        return None
    mean, variance = statistics.fmean(heats), statistics.variance(heats)
    return HeatFluctuation(variance / mean, 2.0 * mean**2 / variance) if mean > 0 and variance > 0 else None


def heats_at_rate(heats: Sequence[float], rates: Sequence[float], rate: float) -> list[float]:
    """h_i·η/η_i: what heats read at rates η_i would be at the rate η, by the law that heat is proportional to it.

    For `heat_fluctuation`, which is of one rate: mixed as they are, the rates' own spread would count as heat's. At
    one rate they are the heats themselves, bit for bit.
    """
    return [heat * (rate / own) for heat, own in zip(heats, rates, strict=True)]


class RiverForces(NamedTuple):
    """Forces along the river, in nats a unit of distance in the weights."""

    bottom: float  # −∇l(θ̄)·u: what the loss itself pulls
    entropic: float  # −(∇l(θ) − ∇l(θ̄))·u: what the noise adds


def river_forces(at_iterate: Tensor, at_bottom: Tensor, river: Tensor) -> RiverForces:
    """Forces along u, the unit vector of `river`, from the probe's gradients at the iterate and at the bottom, all [D].

    To the order of the picture ∇l(θ̄ + x) − ∇l(θ̄) is a'(y)·x²/2 along the river: its mean over the noise is the whole
    entropic force, −(T/2)·d ln a/du, without a Hessian. One reading is one draw of x: look at means. A river of
    length 0 has no direction, and both forces are 0.

    Fidelity: notes (that the noise pulls so is the paper's; the estimate was derived here).
    """
    length = river.norm()
    unit = river / length if bool(length > 0) else torch.zeros_like(river)
    bottom = -float(at_bottom @ unit)
    return RiverForces(bottom, -float(at_iterate @ unit) - bottom)

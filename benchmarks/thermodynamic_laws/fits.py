"""The two laws of a loss curve under a schedule of the rate, and their fits, for `thermodynamic_laws`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A loss curve: the rate of each update, and the loss after some of them."""

    rates: Values  # [N]
    steps: NDArray[np.int64]  # [M], numbers of updates done
    losses: Values  # [M], nats


def heat(rates: Values, capacity: float, curvature: float, start: float) -> Values:
    """h ← (1 − ηa)²·h + 2a·C·η², the thermal energy of a valley of curvature a, after each update, in nats.

    The exact recursion of x ← x − η(a·x + s·ξ) with C = N·s²/4: at a constant small rate h → C·η, and what a change of
    the rate leaves behind falls as exp(−2a·Σ η). arXiv:2505.10559, constants derived here.
    """
    found, energy = np.empty(len(rates)), start
    for number, rate in enumerate(rates):
        energy = (1.0 - min(rate * curvature, 1.0)) ** 2 * energy + 2.0 * curvature * capacity * rate**2
        found[number] = energy
    return found


def annealing_area(rates: Values, decay: float) -> Values:
    """S₂(k) = Σ_{i≤k} Σ_{j≤i} (η_{j−1} − η_j)·λ^{i−j}, after each update. arXiv:2408.11029, equation 2."""
    momentum, area, found = 0.0, 0.0, np.empty(len(rates))
    for number in range(len(rates)):
        fall = rates[number - 1] - rates[number] if number else 0.0
        momentum = decay * momentum + fall
        area += momentum
        found[number] = area
    return found


def thermodynamic_law(curve: Curve, p: Values) -> Values:
    """L = L₀ + A·S₁^−α + heat of one valley; p = log A, α, L₀, log C, log a."""
    area = np.cumsum(curve.rates)[curve.steps - 1]
    warm = heat(curve.rates, math.exp(p[3]), math.exp(p[4]), 0.0)[curve.steps - 1]
    return np.asarray(p[2] + math.exp(p[0]) * area ** -p[1] + warm)


def annealing_law(curve: Curve, p: Values) -> Values:
    """L = L₀ + A·S₁^−α − C·S₂ (arXiv:2408.11029); p = log A, α, L₀, log C, logit λ: as many as the other has."""
    area = np.cumsum(curve.rates)[curve.steps - 1]
    fallen = annealing_area(curve.rates, 1.0 / (1.0 + math.exp(-p[4])))[curve.steps - 1]
    return np.asarray(p[2] + math.exp(p[0]) * area ** -p[1] - math.exp(p[3]) * fallen)


Law = Callable[[Curve, Values], Values]
STARTS: dict[Law, list[list[float]]] = {
    thermodynamic_law: [[-1.0, 0.5, 1.2, c, a] for c in (1.0, 3.0) for a in (2.0, 4.0, 6.0)],
    annealing_law: [[-1.0, 0.5, 1.2, c, a] for c in (-3.0, 0.0) for a in (2.0, 4.0, 6.0)],
}


def fit_law(law: Law, curves: Sequence[Curve]) -> Values:
    """Parameters of least squares over several curves at once, from the best of a few starts."""

    def residuals(p: Values) -> Values:
        return np.concatenate([law(curve, p) - curve.losses for curve in curves])

    bounds = ([-12.0, 0.01, 0.0, -14.0, -4.0], [6.0, 4.0, 4.0, 8.0, 9.0])
    found = [least_squares(residuals, start, bounds=bounds, x_scale="jac") for start in STARTS[law]]
    return np.asarray(min(found, key=lambda one: float(one.cost)).x)


def mean_error(law: Law, p: Values, curves: Sequence[Curve]) -> float:
    """Mean absolute error over the points of the curves, in nats."""
    return float(np.mean(np.concatenate([np.abs(law(curve, p) - curve.losses) for curve in curves])))


@dataclass(frozen=True)
class DecayFit:
    """L = c − g·D + C·η_min + C·(η_pk − η_min)·exp(−2a·D): the loss at the end of a decay from equilibrium."""

    level: float  # c, nats
    river: float  # g, nats a unit of the sum of rates
    capacity: float  # C, nats a unit of the rate
    curvature: float  # a, 1 over a unit of the sum of rates
    explained: float  # 1 − residual over total sum of squares


def fit_decays(peak: float, sums: Sequence[float], ends: Sequence[float], losses: Sequence[float]) -> DecayFit:
    """Least squares over final losses of decays from one state, by the sum of rates D and the least rate η_min."""
    area, end, loss = (np.asarray(values, dtype=np.float64) for values in (sums, ends, losses))

    def design(curvature: float) -> Values:
        return np.stack([np.ones_like(area), -area, end + (peak - end) * np.exp(-2.0 * curvature * area)], axis=1)

    def solve(curvature: float) -> tuple[Values, float]:
        columns = design(curvature)
        found = np.asarray(np.linalg.lstsq(columns, loss, rcond=None)[0], dtype=np.float64)
        return found, float(np.sum((columns @ found - loss) ** 2))

    grid = np.geomspace(0.1, 100.0, 200) / area.max()
    curvature = float(min(grid, key=lambda a: solve(a)[1]))
    (level, river, capacity), residual = solve(curvature)
    total = float(np.sum((loss - loss.mean()) ** 2))
    return DecayFit(float(level), float(river), float(capacity), curvature, 1.0 - residual / total)


def log_slope(x: Sequence[float], y: Sequence[float]) -> float:
    """The exponent p of y ∝ x^p, by least squares of the logarithms."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])

"""What `thermodynamic_laws` measures of a pre-training: heat, entropic force, energies by direction, loss curves."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils import vector_to_parameters

from benchmarks.harness.record import Row, defined
from benchmarks.thermodynamic_laws.runs import (
    Pretraining,
    Probe,
    evenly,
    loss,
    minibatch_gradients,
    top_curvatures,
)

SAMPLES = 12  # iterates of a window whose loss is taken
GRADIENTS = 16  # minibatches of a noise
LANCZOS = 30  # products
CURVED = 64  # rows of the probe that the Hessian is taken of


def heat_row(training: Pretraining, probe: Probe, rate: float, steps: int) -> Row:
    """Heat, noise and entropic force of a window at a constant rate, after as many updates before it."""
    training.train(steps, lambda step: rate)
    halves, at, sampled = [torch.zeros_like(training.weights()) for _ in range(2)], evenly(steps, SAMPLES), []
    for step in training.run(steps, lambda step: rate):
        halves[2 * step // steps] += training.weights()
        if step in at:
            sampled.append(training.weights())
    mean = (halves[0] + halves[1]) / steps
    river = halves[1] / (steps - (steps + 1) // 2) - halves[0] / ((steps + 1) // 2)
    energies = [probe.energy_at(training.network, weights) for weights in sampled]
    bottom, noise = probe.energy_at(training.network, mean), noise_trace(training)
    force = entropic_force(training, probe, mean, river, sampled[:: max(len(sampled) // 4, 1)])
    return {"heat": math.fsum(energies) / len(energies) - bottom, "bottom": bottom, "noise": noise, "force": force}


def noise_trace(training: Pretraining) -> float:
    """tr(P·Σ), Σ the covariance of a minibatch gradient at the present weights."""
    return float((minibatch_gradients(training, GRADIENTS).var(0) * training.preconditioner()).sum())


def entropic_force(
    training: Pretraining, probe: Probe, mean: Tensor, river: Tensor, sampled: Sequence[Tensor]
) -> float | None:
    """−(⟨∇l(θ̄ + x)⟩ − ∇l(θ̄))·u over −∇l(θ̄)·u: the force that the noise adds along the river u, of the probe's own.

    With l = c(y) + a(y)·x²/2 the numerator is −a'(y)·⟨x²⟩/2, to the order of the model the whole entropic force.
    """
    unit = river / river.norm()
    below = _slope(training, probe, mean, unit)
    above = math.fsum(_slope(training, probe, weights, unit) for weights in sampled) / len(sampled)
    return defined((above - below) / below) if below else None


def _slope(training: Pretraining, probe: Probe, weights: Tensor, unit: Tensor) -> float:
    """∇l·u at these weights, which the network keeps."""
    vector_to_parameters(weights.clone(), training.network.parameters())
    grads = torch.autograd.grad(loss(training.network, probe.ids), list(training.network.parameters()))
    return float(torch.cat([grad.flatten() for grad in grads]) @ unit)


def directions_row(training: Pretraining, probe: Probe, rate: float, steps: int, count: int) -> Row:
    """Curvature, energy and noise along the sharpest directions, in the coordinates P^−½·θ where an update is η·P^½·g.

    P and the directions are those before the window, P that of the optimiser then.
    """
    training.train(steps, lambda step: rate)
    scale = training.preconditioner().sqrt()
    curvatures, vectors = top_curvatures(training.network, probe.ids[:CURVED], scale, count, LANCZOS, seed=0)
    places = []
    for _ in training.run(steps, lambda step: rate):
        places.append((training.weights() / scale) @ vectors)
    noises = ((minibatch_gradients(training, 4 * GRADIENTS) * scale) @ vectors).var(0)
    energies = curvatures * torch.stack(places).var(0) / 2.0
    return {
        "curvatures": curvatures.tolist(),
        "energies": energies.tolist(),
        "noises": noises.tolist(),
    }


def curve_row(training: Pretraining, probe: Probe, rates: Sequence[float]) -> Row:
    """The probe's loss along a training, every fiftieth of it."""
    at, steps, losses = evenly(len(rates), 50), list[int](), list[float]()
    for step in training.run(len(rates), rates.__getitem__):
        if step in at:
            steps.append(step + 1)
            losses.append(probe.energy(training.network))
    return {"rates": list(rates), "steps": steps, "losses": losses}

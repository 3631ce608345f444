"""Neural Thermodynamic Laws on the embedded model, by next-token pre-training. arXiv:2505.10559

    python -m benchmarks.thermodynamic_laws --seeds 0 1 2     resumable; a seed at a time, each part a row or a few

Heat: the loss of the iterates over that of their mean, at a constant rate, over windows of one sum of rates, so that
the same valleys count at every rate. Directions: the same a direction, along the sharpest eigenvectors of the
(preconditioned) Hessian, beside what their own gradient noise predicts. Decays: final losses from one hot state.
Curves: from fresh weights under six schedules; two laws are fitted to two of them and predict the others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache, partial

import torch

from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.record import Row, number, numbers, text
from benchmarks.harness.settings import Settings, option
from benchmarks.thermodynamic_laws import measures
from benchmarks.thermodynamic_laws.runs import Name, Pretraining, Probe
from benchmarks.thermodynamic_laws.tables import table
from tvo_cli.optim import Constant, Cosine, Linear, RiverValley, StableDecay
from tvo_cli.optim.schedule import Schedule, with_warm_up

PROBE = 9  # the seed of the probe's rows, the same for all
TABLES = {
    "heats": {
        "seed": number("of the rows", "1"),
        "optimizer": text("adamw or sgd"),
        "rate": number("constant, η", "1"),
        "heat": number("mean loss of the iterates of a window, less that of their mean", "nats"),
        "bottom": number("loss of the window's mean weights", "nats"),
        "noise": number("tr(P·Σ) of a minibatch gradient at the window's end", "nats"),
        "force": number("entropic force along the river over the force of the probe's gradient", "1"),
    },
    "directions": {
        "seed": number("of the rows", "1"),
        "optimizer": text("adamw or sgd"),
        "rate": number("constant, η", "1"),
        "curvatures": numbers("a, eigenvalues of the preconditioned Hessian", "1/η"),
        "energies": numbers("a·Var/2 along each eigenvector", "nats"),
        "noises": numbers("s², variance of the preconditioned gradient along it", "nats/η"),
    },
    "decays": {
        "seed": number("of the rows", "1"),
        "shape": text("of the decay"),
        "steps": number("of the decay", "updates"),
        "end": number("least rate over the peak", "1"),
        "sum": number("of the rates of the decay", "1"),
        "loss": number("at its end", "nats"),
    },
    "curves": {
        "seed": number("of weights and rows", "1"),
        "schedule": text("of the rate"),
        "rates": numbers("of every update", "1"),
        "steps": numbers("updates done at each loss", "updates"),
        "losses": numbers("on the probe", "nats"),
    },
}


class Chosen(Settings):
    """What can be chosen."""

    seeds: tuple[int, ...] = option((0, 1, 2), "of rows, noise and fresh weights", min_length=1)
    batch: int = option(4, "rows of an update", gt=0)
    probe: int = option(128, "held-out rows whose loss is the energy", gt=1)
    warm: int = option(200, "updates at the peak before anything is measured", gt=0)
    adamw: tuple[float, ...] = option((2e-3, 1e-3, 5e-4), "its rates; the first is the peak of decays and curves")
    sgd: tuple[float, ...] = option((0.1, 0.05, 0.025), "its rates")
    adamw_time: float = option(0.15, "sum of rates of AdamW's windows, and of what precedes each", gt=0)
    sgd_time: float = option(5.0, "the same of SGD's", gt=0)
    directions: int = option(16, "of the largest curvature, at the middle rate", gt=0)
    lengths: tuple[int, ...] = option((50, 100, 200), "of decays, in updates")
    ends: tuple[float, ...] = option((0.02, 0.1, 0.3), "least rates of decays, over the peak")
    curve: int = option(300, "updates of a curve", gt=9)


QUICK = {
    "seeds": (0, 1),
    "probe": 16,
    "warm": 4,
    "adamw": (2e-3, 1e-3),
    "sgd": (0.1, 0.05),
    "adamw_time": 0.008,
    "sgd_time": 0.4,
    "directions": 3,
    "lengths": (4, 8),
    "ends": (0.02, 0.3),
    "curve": 10,
}


def shapes(end: float) -> dict[str, Schedule]:
    """Schedules of a decay that begins at 1, the 1/t of `decays` first."""
    return {
        "1/t": _river(end, hold=0.0, drop=0.5),
        "1/t, no drop": _river(end, hold=0.0, drop=1.0),
        "linear": Linear(1.0, end),
        "cosine": Cosine(1.0, end),
        "held, then linear": StableDecay(1.0, end, 0.5),
        "constant": Constant(),
    }


def schedules() -> dict[str, tuple[float, Schedule]]:
    """Of the curves, each with its factor on the peak; the laws are fitted to the first two."""
    return {
        "constant": (1.0, Constant()),
        "cosine": (1.0, Cosine(1.0, 0.02)),
        "half the constant": (0.5, Constant()),
        "linear": (1.0, Linear(1.0, 0.02)),
        "stable, decay": (1.0, StableDecay(1.0, 0.02, 0.8)),
        "river valley": (1.0, _river(0.02, hold=0.5, drop=0.5)),
    }


def _river(end: float, hold: float, drop: float) -> RiverValley:
    return RiverValley(start=1.0, end=end, warm_up=0, hold=hold, drop=drop, stiffness=0.0)


def measure(settings: Chosen) -> Iterator[Measurement]:
    """Seed by seed: heats and directions of both optimisers, decays, curves."""
    for seed in settings.seeds:
        yield from _plateaus(settings, seed, "adamw", settings.adamw)
        yield from _plateaus(settings, seed, "sgd", settings.sgd)
        for shape, steps, end in _decays(settings):
            key = {"seed": seed, "shape": shape, "steps": steps, "end": end}
            yield Measurement("decays", key, partial(_decay, settings, seed, shape, steps, end))
        for name in schedules():
            yield Measurement("curves", {"seed": seed, "schedule": name}, partial(_curve, settings, seed, name))


def _plateaus(settings: Chosen, seed: int, name: Name, rates: Sequence[float]) -> Iterator[Measurement]:
    """Heats at each constant rate, directions at the middle one."""
    for rate in rates:
        key: Row = {"seed": seed, "optimizer": name, "rate": rate}
        yield Measurement("heats", key, partial(_heat, settings, seed, name, rate))
    middle = rates[len(rates) // 2]
    key = {"seed": seed, "optimizer": name, "rate": middle}
    yield Measurement("directions", key, partial(_directions, settings, seed, name, middle))


def _decays(settings: Chosen) -> Iterator[tuple[str, int, float]]:
    """1/t over the whole grid; the other shapes to the least end, at the greatest length."""
    grid = [("1/t", steps, end) for steps in settings.lengths for end in settings.ends]
    others = [name for name in shapes(1.0) if name != "1/t"]
    yield from grid
    yield from ((name, steps, settings.ends[0]) for steps in settings.lengths[-1:] for name in others)


@cache
def _hot(batch: int, warm: int, peak: float, seed: int) -> Pretraining:
    """The embedded model, warm at AdamW's peak."""
    torch.set_num_threads(1)
    training = Pretraining.of(seed, batch, fresh=False)
    training.train(warm, lambda step: peak * min(1.0, (step + 1) / 20))
    return training


def _copy(settings: Chosen, seed: int, name: Name) -> Pretraining:
    """It again, to go on with: AdamW with its state, or SGD."""
    hot = _hot(settings.batch, settings.warm, settings.adamw[0], seed)
    return hot.copy() if name == "adamw" else hot.copy(name)


def _heat(settings: Chosen, seed: int, name: Name, rate: float) -> Row:
    time = settings.adamw_time if name == "adamw" else settings.sgd_time
    return measures.heat_row(_copy(settings, seed, name), Probe(settings.probe, PROBE), rate, round(time / rate))


def _directions(settings: Chosen, seed: int, name: Name, rate: float) -> Row:
    time = settings.adamw_time if name == "adamw" else settings.sgd_time
    training, probe = _copy(settings, seed, name), Probe(settings.probe, PROBE)
    return measures.directions_row(training, probe, rate, round(time / rate), settings.directions)


def _decay(settings: Chosen, seed: int, shape: str, steps: int, end: float) -> Row:
    training, schedule = _copy(settings, seed, "adamw"), shapes(end)[shape]
    rates = [settings.adamw[0] * schedule(step, steps) for step in range(steps)]
    training.train(steps, rates.__getitem__)
    return {"sum": math.fsum(rates), "loss": Probe(settings.probe, PROBE).energy(training.network)}


def _curve(settings: Chosen, seed: int, name: str) -> Row:
    torch.set_num_threads(1)
    factor, shape = schedules()[name]
    schedule = with_warm_up(shape, max(settings.curve // 30, 1))
    rates = [settings.adamw[0] * factor * schedule(step, settings.curve) for step in range(settings.curve)]
    training = Pretraining.of(seed, settings.batch, fresh=True)
    return measures.curve_row(training, Probe(settings.probe, PROBE), rates)


BENCHMARK = Benchmark("thermodynamic_laws", __doc__, Chosen, QUICK, TABLES, measure, table)

"""Simulated logs of benchmarks.diagnosis: healthy runs of 50 to 10,000 steps, for false alarms; and a few ill ones.

A run is a policy whose ability a(t) rises and saturates, over problems of difficulty d ~ N(0, s²):
p_i(t) = σ(a(t) − d_i). A batch draws P problems, G answers to each, so that the accuracy has the noise of a batch and
groups are all right or all wrong as often as they really are. What is not drawn is autocorrelated: a reading is its
trend times e^x, x an AR(1) process of correlation ρ and standard deviation sd. `still` runs are stationary: they learn
nothing, so that every trend found in one is a false one; the plateau is theirs by right.

The kinds differ in what a healthy run may do besides: learn a form before it learns answers, grow or lose length,
solve the task or converge below it. The ill ones are there so that a rule cannot become silent unseen: what they lack
or buy is as plain as it is in words. None of it is taken from another tool's simulation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray
PROMPTS, SAMPLES = 16, 8
LENGTHS = (50, 100, 200, 400, 1000, 3000, 10_000)
HELD_OUT = 256  # answers of an evaluation
EVALUATIONS = 20  # of a run


@dataclass(frozen=True)
class Kind:
    """How a healthy run goes."""

    start: float  # ability at the start, in logits of a problem of mean difficulty
    end: float
    pace: float  # share of the run after which 63% of the rise is done
    spread: float = 1.5  # s
    form: float | None = None  # share of the first responses that have the form; None: no term for it
    length: float = 0.0  # log of the factor by which the length changes
    length_pace: float = 0.2
    cut: tuple[float, float] = (0.02, 0.02)  # share of cut responses, at the start and at the end
    entropy: float = 0.4  # what is left of it
    length_pays: float = 0.0  # reward for a length e times longer
    flipped: float = 0.0  # share of the training problems whose verdicts are turned round


KINDS = {
    "learns": Kind(-1.0, 1.5, 0.4),
    "learns late": Kind(-2.0, 1.0, 0.9),
    "converges": Kind(-1.0, 2.2, 0.1),
    "solves": Kind(-0.5, 5.0, 0.25, spread=1.0, entropy=0.08),
    "form first": Kind(-1.5, 1.0, 0.5, form=0.3),
    "form first, short": Kind(-1.5, 1.5, 0.4, form=0.5, length=-0.7, length_pace=0.05),
    "thinks longer": Kind(-1.0, 1.5, 0.5, length=1.1, length_pace=0.4, cut=(0.02, 0.15)),
    "longer first": Kind(-1.5, 1.5, 0.5, form=0.8, length=0.7, length_pace=0.1),
    "rambles less": Kind(-1.0, 1.2, 0.3, length=-0.9, length_pace=0.15, cut=(0.4, 0.02)),
    "still": Kind(-0.3, -0.3, 1.0, form=0.9, entropy=1.0),
    "still, rare": Kind(-3.0, -3.0, 1.0, form=0.9, entropy=1.0),
}
ILL = {
    "form only": Kind(-2.0, -2.0, 0.5, form=0.3),
    "longer only": Kind(-1.0, -1.0, 0.5, length=1.1, length_pace=0.3, length_pays=0.4),
    "far too hard": Kind(-6.0, -6.0, 1.0, spread=2.5),
    "stands still": Kind(-1.0, 0.1, 0.06),
    "flipped, solved": Kind(-0.5, 5.0, 0.15, spread=1.0, entropy=0.08, flipped=0.1),
    "flipped, half solved": Kind(-1.0, 0.4, 0.4, flipped=0.1),
}
STILL = frozenset({"plateau", "gradient_noise"})  # what is rightly said of a run that learns nothing
LONG, FEW = 3000, 4  # runs from so many steps on are made with the seeds below so much only


def kinds_of(steps: int, seed: int) -> tuple[str, ...]:
    """The kinds of a length and a seed: the ill ones where they have the steps to show it."""
    if steps >= LONG and seed >= FEW:
        return ()
    return (*KINDS, *ILL) if 200 <= steps <= 1000 else tuple(KINDS)


def case_of(kind: str) -> str:
    """What a kind is counted as."""
    return (
        "still"
        if kind.startswith("still")
        else "healthy"
        if kind in KINDS
        else kind.replace(", ", "_").replace(" ", "_")
    )


def simulated_rows(kind: str, steps: int, seed: int) -> list[dict[str, Any]]:
    """The log of a run of KINDS or ILL, under our names."""
    every = {**KINDS, **ILL}
    known = every[kind]
    rng = np.random.default_rng([steps, seed, list(every).index(kind)])
    drift = autocorrelated(rng, steps, 0.95, 0.08)
    ability = known.start + (known.end - known.start) * _approach(steps, known.pace) + drift
    columns = {**_answers(rng, known, ability), **_readings(rng, known, steps)}
    columns["reward/mean"] = columns["accuracy/fresh"].copy()
    if known.form is not None:
        form = 1.0 - (1.0 - known.form) * (1.0 - (known.pace < 1.0) * _approach(steps, 0.1 * known.pace))
        columns["reward/format"] = rng.binomial(PROMPTS * SAMPLES, form) / (PROMPTS * SAMPLES)
        columns["grader/unanswered"] = 1.0 - columns["reward/format"]
        columns["reward/mean"] += 0.3 * columns["reward/format"]
    if known.length_pays:
        columns["reward/length"] = known.length_pays * np.log(columns["response/length"] / 120.0)
        columns["reward/mean"] += columns["reward/length"]
    rows = [{"step": at + 1, **{name: float(values[at]) for name, values in columns.items()}} for at in range(steps)]
    for at in np.linspace(0, steps - 1, EVALUATIONS, dtype=int):
        rows[at] |= _evaluation(rng, known, float(ability[at]))
    return rows


def autocorrelated(rng: np.random.Generator, steps: int, rho: float, sd: float) -> Array:
    """An AR(1) process: x_t = ρ·x_{t−1} + √(1 − ρ²)·sd·ε, stationary from the start."""
    noise: Array = rng.standard_normal(steps) * sd * np.sqrt(1.0 - rho**2)
    noise[0] = rng.standard_normal() * sd
    for at in range(1, steps):
        noise[at] += rho * noise[at - 1]
    return noise


def _approach(steps: int, pace: float) -> Array:
    """1 − e^(−t/τ), τ = pace·T."""
    return 1.0 - np.exp(-np.arange(steps) / (pace * steps))


def _answers(rng: np.random.Generator, kind: Kind, ability: Array) -> dict[str, Array]:
    """What the batches of a policy of such ability show: accuracy and groups."""
    difficulty = rng.standard_normal((len(ability), PROMPTS)) * kind.spread
    chance = 1.0 / (1.0 + np.exp(difficulty - ability[:, None]))
    right = rng.binomial(SAMPLES, chance)
    right = np.where(rng.random(right.shape) < kind.flipped, SAMPLES - right, right)
    all_right, all_wrong = (right == SAMPLES).mean(axis=1), (right == 0).mean(axis=1)
    share = right / SAMPLES
    return {
        "accuracy/fresh": share.mean(axis=1),
        "group/all_right": all_right,
        "group/all_wrong": all_wrong,
        "group/zero_advantage": all_right + all_wrong,
        "reward/std": np.sqrt(np.maximum(share.mean(axis=1) * (1.0 - share.mean(axis=1)), 0.0)),
    }


def _readings(rng: np.random.Generator, kind: Kind, steps: int) -> dict[str, Array]:
    """What is not counted but measured: trends with autocorrelated noise."""
    done = _approach(steps, kind.pace)
    moving = kind.start != kind.end

    def around(trend: Array | float, rho: float, sd: float) -> Array:
        return np.asarray(trend * np.exp(autocorrelated(rng, steps, rho, sd)))

    cut = kind.cut[0] + (kind.cut[1] - kind.cut[0]) * _approach(steps, kind.length_pace)
    return {
        "response/length": around(120.0 * np.exp(kind.length * _approach(steps, kind.length_pace)), 0.9, 0.06),
        "response/truncated": rng.binomial(PROMPTS * SAMPLES, cut) / (PROMPTS * SAMPLES),
        "policy/entropy": around(0.5 * np.exp(np.log(kind.entropy) * done), 0.9, 0.06),
        "policy/kl_ref": around(0.005 + 0.3 * done * moving, 0.8, 0.2),
        "policy/kl_old_k1": around(0.002, 0.5, 0.5),
        "policy/clipped": around(0.02, 0.7, 0.5),
        "policy/mismatch": around(0.004, 0.9, 0.2),
        "gradient/norm": around(0.4, 0.6, 0.35),
        "loss/policy": autocorrelated(rng, steps, 0.3, 0.02),
        "answer/entropy": around(1.5 * np.exp(0.8 * np.log(kind.entropy) * done), 0.8, 0.1),
        "time/step": around(4.0, 0.5, 0.1),
    }


def _evaluation(rng: np.random.Generator, kind: Kind, ability: float) -> dict[str, float]:
    difficulty = rng.standard_normal(HELD_OUT) * kind.spread
    value = float(rng.binomial(1, 1.0 / (1.0 + np.exp(difficulty - ability))).mean())
    error = 1.96 * (max(value * (1.0 - value), 0.25 / HELD_OUT) / HELD_OUT) ** 0.5
    return {"eval/pass@1": value, "eval/pass@1_low": value - error, "eval/pass@1_high": value + error}

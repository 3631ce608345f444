"""How often stability.refuse refuses an update that did no harm: both tests, by simulation of a policy that stays.

    python -m benchmarks.false_alarms

A batch has --designs PROMPTSxRESPONSES; a prompt's chance of a right answer is drawn from a beta distribution of mean p
and intraclass correlation ρ, so responses to one prompt are alike and prompts are not. Chains of batches run through
both tests as training does, the reward being 0 or 1. `pair` counts batches at which the fast test (limit --limit)
refuses, `drift` those at which the slow one does (limit --drift), after which its sum starts at 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.harness import markdown
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.record import Record, Row, number, text
from benchmarks.harness.settings import Settings, option
from tvo_cli.maths.permutation_test import permutation_z
from tvo_cli.stability.lyapunov_condition import ALLOWANCE, LARGEST_TERM, WINDOW

CLOSE = 1.3  # of the limit: below it the score test is so low that the exact one is not asked
Array = np.ndarray
TABLES = {
    "chains": {
        "design": text("prompts x responses"),
        "correlation": number("ρ between responses to one prompt", "1"),
        "p": number("chance of a right answer", "1"),
        "seed": number("of the chains", "1"),
        "batches": number("batches that were judged", "1"),
        "pair": number("refused by the fast test", "1"),
        "drift": number("refused by the slow test", "1"),
    }
}


class Chosen(Settings):
    """What can be chosen."""

    designs: tuple[str, ...] = option(("128x1", "64x2", "16x8"), "PROMPTSxRESPONSES", min_length=1)
    correlations: tuple[float, ...] = option((0.3, 0.7), "ρ of designs with several responses", min_length=1)
    chances: tuple[float, ...] = option((0.005, 0.02, 0.1, 0.5, 0.9, 0.98, 0.995), "p", min_length=1)
    chains: int = option(1000, "side by side", gt=0)
    batches: int = option(400, "a chain", gt=1)
    limit: float = option(4.0, "stability.refuse", gt=0)
    drift: float = option(6.0, "stability.refuse_drift", gt=0)
    seeds: tuple[int, ...] = option((0,), "of the chains", min_length=1)


QUICK = {"designs": ("16x2",), "correlations": (0.3,), "chances": (0.5,), "chains": 20, "batches": 20, "limit": 2.0}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """Every design at every chance; responses that are alone have no correlation."""
    for seed in settings.seeds:
        for design in settings.designs:
            prompts, responses = map(int, design.split("x"))
            for correlation in settings.correlations if responses > 1 else (0.0,):
                for p in settings.chances:
                    key = {"design": design, "correlation": correlation, "p": p, "seed": seed}
                    drawn = partial(_batch, prompts, responses, correlation, p, settings.chains)
                    yield Measurement("chains", key, partial(_chains, settings, drawn, seed))


def _batch(prompts: int, responses: int, correlation: float, p: float, chains: int, draw: np.random.Generator) -> Array:
    """F of each prompt of a batch of each chain, [chains, prompts]."""
    shape = (chains, prompts)
    if correlation:
        scale = 1.0 / correlation - 1.0
        right = draw.binomial(responses, draw.beta(p * scale, (1.0 - p) * scale, shape))
    else:
        right = draw.binomial(responses, p, shape)
    return -right / responses


def _chains(settings: Chosen, drawn: partial[Array], seed: int) -> Row:
    draw, window = np.random.default_rng(seed), list[Array]()
    drift, counts = np.zeros(settings.chains), {"batches": 0, "pair": 0, "drift": 0}
    for _ in range(settings.batches):
        fresh = drawn(draw)
        if window:
            counts["batches"] += len(fresh)
            counts["pair"] += pairs_above(fresh, window[-1], settings.limit)
            drift = drift_after(drift, fresh, window)
            counts["drift"] += int((drift >= settings.drift).sum())
            drift[drift >= settings.drift] = 0.0
        window = [*window, fresh][-WINDOW:]
    return dict(counts)


def pairs_above(fresh: Array, before: Array, limit: float) -> int:
    """Chains whose batch the fast test refuses; only those that the score test finds near the limit are computed."""
    close = np.flatnonzero(score_of_each(fresh, before) >= limit / CLOSE)
    exact = (permutation_z(torch.from_numpy(fresh[row]), torch.from_numpy(before[row])) for row in close)
    return sum(z >= limit for z in exact)


def drift_after(drift: Array, fresh: Array, window: list[Array]) -> Array:
    """The slow test's sum of every chain after one more batch."""
    term = score_of_each(fresh, np.concatenate(window, axis=1))
    found: Array = np.maximum(0.0, drift + np.minimum(term, LARGEST_TERM) - ALLOWANCE)
    return found


def score_of_each(fresh: Array, before: Array) -> Array:
    """maths.permutation_test.score_z of every row, [chains]."""
    n, m = fresh.shape[1], before.shape[1]
    count = n + m
    first, second = fresh.sum(1), before.sum(1)
    variance = ((fresh**2).sum(1) + (before**2).sum(1)) / count - ((first + second) / count) ** 2
    error = np.sqrt(np.maximum(variance, 0.0) * (1 / n + 1 / m) * count / (count - 1))
    gap = first / n - second / m
    found: Array = np.divide(gap, error, out=np.zeros_like(gap), where=error > 1e-9)
    return found


def table(record: Record) -> str:
    """Refusals in 100,000 batches, and the upper end of a 95% interval where none was seen."""
    lines = []
    for row in record.rows("chains"):
        rates = [_in_100_000(row[test], row["batches"]) for test in ("pair", "drift")]
        lines.append([row["design"], f"{row['correlation']:g}", f"{row['p']:g}", f"{row['batches']:,}", *rates])
    return markdown.table(["design", "ρ", "p", "batches", "fast test, of 100,000", "slow test, of 100,000"], lines)


def _in_100_000(seen: int, batches: int) -> str:
    return f"{1e5 * seen / batches:.1f}" if seen else f"0 (< {1e5 * -math.log(0.05) / batches:.1f})"


BENCHMARK = Benchmark(Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table)

if __name__ == "__main__":
    BENCHMARK.main()

"""What TVO's pieces cost a token, by vocabulary size, and exact TV, KL and top-k beside the binary TV.

    python -m benchmarks.divergence

Given the log-probabilities of the sampled tokens, which every trainer has, the binary total variation |π − π_old| of
those tokens needs no logits: 4 bytes a token and a time that does not know V. Exact TV and KL read both rows of
logits, 8·V bytes a token. Both sides start from what they need in memory; making the log-probability itself is
O(V) for everyone and is timed as a row of its own. The mobility is made of the same two log-probabilities; the control
variate's Σπ² reads a row of logits that is there already. Step rule and baselines read one number a token or less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.harness import markdown
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.markdown import median
from benchmarks.harness.power_law import Exponent, fit
from benchmarks.harness.record import Record, Row, group, number, text
from benchmarks.harness.settings import Clock, Settings, option
from benchmarks.workload.stopwatch import CLOCKS, peak
from tvo_cli.maths.divergence import binary_total_variation
from tvo_cli.methods.viscous_mobility import viscous_mobility
from tvo_cli.types import Tokens

SIZES = (1_000, 4_000, 16_000, 64_000, 152_000, 256_000)
TOKENS = 256
ROWS = 16  # at a time, so that temporaries stay in the cache
TOP = 64
Method = Callable[[], Tensor]


def exact_tv(new: Tensor, old: Tensor) -> Tensor:
    """½ Σ |π − π_old| of each row of log-probabilities [N, V]."""
    return torch.cat([0.5 * (a.exp() - b.exp()).abs().sum(1) for a, b in zip(new.split(ROWS), old.split(ROWS))])


def exact_kl(new: Tensor, old: Tensor) -> Tensor:
    """Σ π_old (log π_old − log π) of each row."""
    return torch.cat([(b.exp() * (b - a)).sum(1) for a, b in zip(new.split(ROWS), old.split(ROWS))])


def top_tv(new: Tensor, old: Tensor) -> Tensor:
    """½ Σ |π − π_old| over the old policy's most likely words, and what is left as one word."""
    found = []
    for a, b in zip(new.split(ROWS), old.split(ROWS)):
        index = b.topk(TOP, dim=1).indices
        p, q = a.gather(1, index).exp(), b.gather(1, index).exp()
        found.append(0.5 * ((p - q).abs().sum(1) + (p.sum(1) - q.sum(1)).abs()))
    return torch.cat(found)


def sampled_logp(logits: Tensor, token: Tensor) -> Tensor:
    """log π of one word of each row, from logits: what every method has to make first."""
    return torch.cat(
        [
            part.gather(1, chosen[:, None]).squeeze(1) - part.logsumexp(1)
            for part, chosen in zip(logits.split(ROWS), token.split(ROWS))
        ]
    )


def sum_of_squares(logits: Tensor, token: Tensor) -> Tensor:
    """Σπ² of each row, from logits: what the control variate reads besides log π of the sample."""
    logp = sampled_logp(logits, token)
    chosen = logits.gather(1, token[:, None]).squeeze(1)
    totals = (chosen - logp).split(ROWS)
    return torch.cat([(part - total[:, None]).exp().square().sum(1) for part, total in zip(logits.split(ROWS), totals)])


def methods(vocabulary: int, tokens: int, seed: int = 0) -> dict[str, tuple[Method, int]]:
    """By name: a function to time, and the bytes a token that must be kept of the old policy for it."""
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(tokens, vocabulary, generator=rng)
    new = torch.cat([part.log_softmax(1) for part in logits.split(ROWS)])
    old = torch.cat([(part * 0.98).log_softmax(1) for part in logits.split(ROWS)])
    token = torch.randint(vocabulary, (tokens,), generator=rng)
    logp, old_logp = (rows.gather(1, token[:, None]).squeeze(1) for rows in (new, old))
    none = torch.zeros_like(logp)
    sampled = Tokens(logp, old_logp, none, none, none, torch.ones_like(logp, dtype=torch.bool), none)
    return {
        "binary TV": (lambda: binary_total_variation(logp, old_logp), 4),
        "mobility": (lambda: viscous_mobility(sampled, delta=0.5, floor=1e-4), 4),
        "exact TV": (lambda: exact_tv(new, old), 4 * vocabulary),
        "exact KL": (lambda: exact_kl(new, old), 4 * vocabulary),
        f"top-{TOP} TV": (lambda: top_tv(new, old), 4 * vocabulary),
        "log π of the sample": (lambda: sampled_logp(logits, token), 4),
        "log π and Σπ²": (lambda: sum_of_squares(logits, token), 4),
    }


def microseconds(method: Method, tokens: int, clock: str, least: float) -> float:
    """Of one token: the least of five rounds, each at least `least` seconds long."""
    now, calls = CLOCKS[clock], 1
    method()
    rounds: list[float] = []
    while len(rounds) < 5:
        begun = now()
        for _ in range(calls):
            method()
        spent = now() - begun
        if spent < least:
            calls = max(2 * calls, int(calls * least / max(spent, 1e-6)))
            continue
        rounds.append(spent / calls)
    return 1e6 * min(rounds) / tokens


TABLES = {
    "methods": {
        "vocabulary": number("V, words of the vocabulary", "1"),
        "seed": number("of the logits", "1"),
        "method": text("what is computed"),
        "microseconds": number("a token: the least of five rounds", "µs"),
        "kept": number("kept of the old policy for a token", "bytes"),
        "peak_mb": number("memory of the process at most, so far", "MiB"),
    }
}


class Chosen(Settings):
    """What can be chosen."""

    sizes: tuple[int, ...] = option(SIZES, "vocabularies; an exponent needs three", min_length=1)
    tokens: int = option(TOKENS, "tokens a call", gt=0)
    seconds: float = option(0.2, "of one round, at least", gt=0)
    seeds: tuple[int, ...] = option((0,), "of the logits; the median over several counts", min_length=1)
    clock: Clock = option("wall", "cpu where the machine is shared")


QUICK = {"sizes": (100, 1_000, 4_000), "tokens": 8, "seconds": 1e-4}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """Every method of a vocabulary on the same logits."""
    torch.set_num_threads(1)
    for seed in settings.seeds:
        for vocabulary in settings.sizes:
            key = {"vocabulary": vocabulary, "seed": seed}
            yield Measurement("methods", key, partial(_timed, settings, vocabulary, seed))


def _timed(settings: Chosen, vocabulary: int, seed: int) -> list[Row]:
    found = []
    for name, (method, kept) in methods(vocabulary, settings.tokens, seed).items():
        took = microseconds(method, settings.tokens, settings.clock, settings.seconds)
        found.append({"method": name, "microseconds": took, "kept": kept, "peak_mb": peak()})
    return found


def exponents(rows: list[Row]) -> dict[str, Exponent | None]:
    """Of time in V, for each method; None of fewer than three sizes."""
    return {name: _exponent(found) for (name,), found in group(rows, "method").items()}


def _exponent(rows: list[Row]) -> Exponent | None:
    times = _medians(rows)
    return fit(list(times), list(times.values())) if len(times) > 2 else None


def _medians(rows: list[Row]) -> dict[int, float]:
    """By vocabulary, over the seeds."""
    return {
        size: median([row["microseconds"] for row in found]) for (size,), found in group(rows, "vocabulary").items()
    }


def table(record: Record) -> str:
    """Microseconds a token by method and vocabulary."""
    rows = record.rows("methods")
    fits, lines = exponents(rows), []
    for (name,), found in group(rows, "method").items():
        times = [f"{value:.3g}" for value in _medians(found).values()]
        lines.append([name, *times, fits[name] or "–", f"{found[-1]['kept']:,.0f}"])
    sizes = [f"V = {size:,}" for (size,) in group(rows, "vocabulary")]
    return markdown.table(["µs a token", *sizes, "exponent in V [95%]", "bytes kept a token, last V"], lines)


BENCHMARK = Benchmark(Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table)

if __name__ == "__main__":
    BENCHMARK.main()

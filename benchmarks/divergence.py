"""What a divergence between two policies costs a token, by vocabulary size: binary TV against exact TV, KL and top-k.

    python -m benchmarks.divergence

Given the log-probabilities of the sampled tokens, which every trainer has, the binary total variation |π − π_old| of
those tokens needs no logits: 4 bytes a token and a time that does not know V. Exact TV and KL read both rows of
logits, 8·V bytes a token. Both sides start from what they need in memory; making the log-probability itself is
O(V) for everyone and is timed as a row of its own.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.measuring import CLOCKS, FOLDER, Fit, fit, machine, table, write
from tvo_cli.maths.divergence import binary_total_variation

SIZES = (1_000, 4_000, 16_000, 64_000, 152_000, 256_000)
TOKENS = 256
ROWS = 16  # at a time, so that temporaries stay in the cache
TOP = 64
Measure = Callable[[], Tensor]


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


def measures(vocabulary: int, tokens: int) -> dict[str, tuple[Measure, int]]:
    """By name: a function to time, and the bytes a token that must be kept of the old policy for it."""
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(tokens, vocabulary, generator=rng)
    new = torch.cat([part.log_softmax(1) for part in logits.split(ROWS)])
    old = torch.cat([(part * 0.98).log_softmax(1) for part in logits.split(ROWS)])
    token = torch.randint(vocabulary, (tokens,), generator=rng)
    logp, old_logp = (rows.gather(1, token[:, None]).squeeze(1) for rows in (new, old))
    return {
        "binary TV": (lambda: binary_total_variation(logp, old_logp), 4),
        "exact TV": (lambda: exact_tv(new, old), 4 * vocabulary),
        "exact KL": (lambda: exact_kl(new, old), 4 * vocabulary),
        f"top-{TOP} TV": (lambda: top_tv(new, old), 4 * vocabulary),
        "log π of the sample": (lambda: sampled_logp(logits, token), 4),
    }


def microseconds(measure: Measure, tokens: int, clock: str, least: float) -> float:
    """Of one token: the least of five rounds, each at least `least` seconds long."""
    now, calls = CLOCKS[clock], 1
    measure()
    rounds: list[float] = []
    while len(rounds) < 5:
        begun = now()
        for _ in range(calls):
            measure()
        spent = now() - begun
        if spent < least:
            calls = max(2 * calls, int(calls * least / max(spent, 1e-6)))
            continue
        rounds.append(spent / calls)
    return 1e6 * min(rounds) / tokens


def run(sizes: tuple[int, ...], tokens: int, clock: str, least: float) -> dict[str, dict[str, list[float]]]:
    """Microseconds and bytes a token by method, in the order of the sizes."""
    found: dict[str, dict[str, list[float]]] = {}
    for vocabulary in sizes:
        for name, (measure, kept) in measures(vocabulary, tokens).items():
            rows = found.setdefault(name, {"microseconds": [], "bytes": []})
            rows["microseconds"].append(microseconds(measure, tokens, clock, least))
            rows["bytes"].append(float(kept))
        print(f"V = {vocabulary}", file=sys.stderr, flush=True)
    return found


def exponents(sizes: tuple[int, ...], found: dict[str, dict[str, list[float]]]) -> dict[str, Fit]:
    """Of time in V."""
    return {name: fit(sizes, rows["microseconds"]) for name, rows in found.items()}


def main() -> None:
    """A table and a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--tokens", type=int, default=TOKENS)
    parser.add_argument("--seconds", type=float, default=0.2, help="of one round, at least")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--out", type=Path, default=FOLDER / "divergence.json")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    sizes, before = tuple(chosen.sizes), machine()
    found = run(sizes, chosen.tokens, chosen.clock, chosen.seconds)
    fits = exponents(sizes, found)
    head = ["µs a token", *(f"V = {size:,}" for size in sizes), "exponent in V [95%]", "bytes kept a token, last V"]
    rows = [
        [name, *(f"{value:.3g}" for value in row["microseconds"]), fits[name], f"{row['bytes'][-1]:,.0f}"]
        for name, row in found.items()
    ]
    print(table(head, rows))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    record = {"machine": before, "sizes": sizes, "measured": found, "peak_mb": peak}
    write(chosen.out, record | {"exponents": {name: one._asdict() for name, one in fits.items()}})


if __name__ == "__main__":
    main()

"""What the second edition's runs decide: rows against each other, over rates, and with the rule against without."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from benchmarks.harness import markdown
from benchmarks.harness.record import Row, group
from benchmarks.sweeps.choice import RULE, best_rate
from tvo_cli.stats import mean_interval, wilson_interval
from tvo_cli.stats.rate_selection import select_rate
from tvo_cli.stats.t_tests import Difference, holm_adjusted, paired_difference

REFERENCES = ("tvo_overdamped", "tvo_2025")  # every row is compared with each of them
Finals = dict[int, float]  # by seed


def verdicts(runs: Sequence[Row], references: Sequence[str] = REFERENCES) -> str:
    """Tables of the rows at one task: spread over rates, differences by seed, the rule."""
    return "\n\n".join(filter(None, [_over_rates(runs), *comparisons(runs, references), _of_rule(runs)]))


def comparisons(runs: Sequence[Row], references: Sequence[str]) -> list[str]:
    """A table for each reference: every row at its own best rate, and its difference by seed."""
    own = {row: at_own_rate(found) for (row,), found in group(runs, "row").items()}
    return [_against(own, reference) for reference in references if reference in own]


def at_own_rate(runs: Sequence[Row]) -> Finals:
    """Final accuracy by seed at a row's best rate, less the optimism of having chosen it on these seeds."""
    seeds, rates = (sorted({run[name] for run in runs}) for name in ("seed", "lr"))
    scores = np.full((len(seeds), len(rates)), math.nan)
    for run in runs:
        scores[seeds.index(run["seed"]), rates.index(run["lr"])] = run["final"]
    chosen = select_rate(scores)
    best = scores[:, int(chosen.best)] - float(chosen.correction)
    return {seed: float(value) for seed, value in zip(seeds, best, strict=True) if not math.isnan(value)}


def differences(own: dict[str, Finals], reference: str) -> dict[str, tuple[Difference, float]]:
    """Each other row less the reference, paired by the seeds that both have, with Holm's p over all of them."""
    found = {row: _paired(finals, own[reference]) for row, finals in own.items() if row != reference}
    adjusted = holm_adjusted([one.p for one in found.values()])
    return {row: (one, p) for (row, one), p in zip(found.items(), adjusted, strict=True)}


def _paired(first: Finals, second: Finals) -> Difference:
    """The difference by seed; p is 1 where it is one constant, which is that of two corrections of the same runs."""
    seeds = sorted(first.keys() & second.keys())
    found = paired_difference([first[seed] for seed in seeds], [second[seed] for seed in seeds])
    return found._replace(p=1.0) if _is_constant(found) else found


def _is_constant(one: Difference) -> bool:
    return one.n > 1 and math.isnan(one.low) and not math.isnan(one.difference)


def _against(own: dict[str, Finals], reference: str) -> str:
    """The rows at their own best rates, the best first, and what each is above the reference."""
    found = differences(own, reference)
    ranked = sorted(own, key=lambda row: (-float(np.mean(list(own[row].values()))), row))
    lines = [[row, _mean(own[row]), *_difference(*found[row])] for row in ranked if row in found]
    head = [f"row, against {reference} at {_mean(own[reference])}", "final at own best rate [95%]"]
    return markdown.table([*head, "difference [95%]", "p, Holm", "seeds"], lines)


def _difference(one: Difference, p: float) -> list[str]:
    bounds = "the same runs" if _is_constant(one) else f"[{one.low:+.3f}, {one.high:+.3f}]"
    return [f"{one.difference:+.3f} {bounds}", f"{p:.3g}", str(one.n)]


def _mean(finals: Finals) -> str:
    found = mean_interval(list(finals.values()))
    return f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _over_rates(runs: Sequence[Row]) -> str:
    """Mean finals at the least and at the best rate of the grid, collapses with Wilson's interval, falls."""
    lines = [[row, *_spread(row, found)] for (row,), found in group(runs, "row").items()]
    head = ["row", "best rate", "final there", "lowest mean of a rate", "between them", "collapsed [95%]", "falls"]
    return markdown.table([*head, "runs"], lines)


def _spread(row: str, runs: Sequence[Row]) -> list[str]:
    means = {rate: float(np.mean([run["final"] for run in found])) for (rate,), found in group(runs, "lr").items()}
    most, least, count = max(means.values()), min(means.values()), sum(run["collapsed"] for run in runs)
    bound = wilson_interval(count, len(runs))
    told = f"{count} [{bound.low:.3f}, {bound.high:.3f}]"
    falls = sum(run["falls"] for run in runs)
    return [
        f"{best_rate(runs, row):g}",
        f"{most:.3f}",
        f"{least:.3f}",
        f"{most - least:.3f}",
        told,
        str(falls),
        str(len(runs)),
    ]


def _of_rule(runs: Sequence[Row]) -> str:
    """Rows with the rule less the same rows without it, by seed, at each rate."""
    finals = {(row, rate): found for (row, rate), found in group(runs, "row", "lr").items()}
    lines = []
    for (row, rate), found in finals.items():
        without = finals.get((" ".join(word for word in row.split() if not word.startswith(RULE)), rate))
        if RULE in row and without:
            one = _paired(*({run["seed"]: run["final"] for run in rows} for rows in (found, without)))
            lines.append([row, f"{rate:g}", *_difference(one, one.p)])
    head = ["row with the rule, less the same without it", "rate", "difference of finals [95%]", "p", "seeds"]
    return markdown.table(head, lines) if lines else ""

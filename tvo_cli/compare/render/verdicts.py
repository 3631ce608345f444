"""The verdicts, in words a reader can quote and a statistician would sign."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tvo_cli.compare import formatting
from tvo_cli.compare.analysis.arms import Cell
from tvo_cli.compare.analysis.contrast import ByProblem, Contrast
from tvo_cli.compare.analysis.measures import Reading, collapses, final
from tvo_cli.stats.power import CAP
from tvo_cli.stats.t_tests import Difference


def sentence(found: Contrast, how: Reading) -> str:
    """`TVO − GRPO = +2.1 points, 95% CI [−0.4, +4.6], 5 paired seeds: not separated; about 14 seeds …`."""
    names = f"{_title(found.a, found)} {formatting.MINUS} {_title(found.b, found)}"
    said = found.over_seeds
    if math.isnan(said.difference):
        return f"{names}: {_nothing(found)}"
    return f"{names} = {amount(said, how)}, {_seeds(found)}: {_outcome(found)}"


def _title(cell: Cell, found: Contrast) -> str:
    return formatting.title(cell.arm)


def _nothing(found: Contrast) -> str:
    empty = [formatting.title(cell.arm) for cell, n in zip((found.a, found.b), found.pending) if n == len(cell.trials)]
    return f"no run of {' and of '.join(empty) or 'one arm'} has a final value yet"


def amount(said: Difference, how: Reading) -> str:
    """`+2.1 points, 95% CI [−0.4, +4.6]`."""
    scale, unit, decimals = (100.0, " points", 1) if how.share else (1.0, "", _decimals(said))
    text = f"{formatting.signed(scale * said.difference, decimals)}{unit}"
    if math.isnan(said.low):
        return f"{text} (no interval)"
    low, high = (formatting.signed(scale * end, decimals) for end in (said.low, said.high))
    return f"{text}, {how.confidence:.0%} CI [{low}, {high}]"


def _decimals(said: Difference) -> int:
    size = abs(said.difference)
    return 3 if size == 0 or not math.isfinite(size) else max(0, 2 - math.floor(math.log10(size)))


def _seeds(found: Contrast) -> str:
    if found.paired:
        return formatting.count(found.over_seeds.n, "paired seed")
    return f"{formatting.count(len(found.a.trials), 'seed')} against {len(found.b.trials)}, unpaired"


def _outcome(found: Contrast) -> str:
    said = found.over_seeds
    if said.n < 2:
        return "one seed has no spread, so nothing can be said; at least 2 are needed, 5 or more are useful"
    if said.method == "exact permutation" and said.difference:
        least = f"p {_p(said.p)} is the least these seeds can give"
        return f"{'separated' if found.separated else 'not separated'}; no spread between seeds, {least}"
    p = f"p {_p(found.adjusted)}" + (f", Holm over {found.family}" if found.family > 1 else "")
    if found.separated:
        return f"{'separated so far' if any(found.pending) else 'separated'} ({p})"
    alone = ""
    if said.p < 1.0 - found.confidence:
        alone = f"; alone it would be (p {_p(said.p)}), among {found.family} comparisons it is not"
    return f"not separated ({p}){alone}; {_needed(found)}"


def _needed(found: Contrast) -> str:
    if found.needed is None:
        return "no difference was seen, so no number of seeds can be named"
    if found.needed >= CAP:
        return "more than 10,000 seeds would be needed: the difference is noise for every practical purpose"
    if found.needed <= found.over_seeds.n:
        return "a difference this large is usually separated with as many seeds"
    return f"about {formatting.count(found.needed, 'seed')} would be needed"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"


def details(found: Contrast, problem: ByProblem | str | None, how: Reading) -> Iterator[str]:
    """What must stand beside a verdict: collapses, runs without a partner or a value, and the view by problem."""
    told = [_collapsed(cell, how) for cell in (found.a, found.b)]
    if any(one and not one.startswith("0 ") for one in told):
        both = ", ".join(f"{formatting.title(c.arm)} {t or 'not watched'}" for c, t in zip((found.a, found.b), told))
        yield f"collapsed: {both}; with rare collapses no interval of a mean holds, weigh these beside it"
    for cell, alone, waiting in zip((found.a, found.b), found.unmatched, found.pending, strict=True):
        name = formatting.title(cell.arm)
        if alone:
            left = ", ".join(f"seed {seed}: {_final(cell, seed, how)}" for seed in alone)
            yield f"{formatting.count(len(alone), 'seed')} of {name} without a partner, not in the difference ({left})"
        if waiting:
            yield f"provisional: {formatting.count(waiting, 'run')} of {name} not finished, no final value yet"
    if isinstance(problem, ByProblem):
        size = f"{problem.problems} problems × {problem.samples} samples"
        yield f"by problem, for these very policies: {amount(problem.over_problems, how)}, {size}, paired"


def _final(cell: Cell, seed: str, how: Reading) -> str:
    trial = cell.by_seed.get(seed)
    if trial is None:
        return formatting.UNKNOWN
    return formatting.reading(final(trial, how), how.share) + (", collapsed" if trial.collapsed_at is not None else "")


def _collapsed(cell: Cell, how: Reading) -> str:
    found = collapses(cell.trials, how.confidence)
    if not found.watched:
        return ""
    low, high = 100 * found.rate.low, 100 * found.rate.high
    return f"{found.collapsed} of {found.watched} [{low:.0f}, {high:.0f}]%"

"""Sentences of the verdicts, as a reader can quote them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tvo_cli.comparison import formatting
from tvo_cli.comparison.analysis import rate_robustness
from tvo_cli.comparison.analysis.arms_and_blocks import ArmAtRate
from tvo_cli.comparison.analysis.block_analysis import BlockAnalysis
from tvo_cli.comparison.analysis.collapse_rate import collapse_rate_of
from tvo_cli.comparison.analysis.contrast_over_problems import ProblemContrast
from tvo_cli.comparison.analysis.contrast_over_seeds import SeedContrast
from tvo_cli.comparison.analysis.metric_choice import MetricChoice
from tvo_cli.comparison.analysis.run_values import final_value
from tvo_cli.stats.power import CAP
from tvo_cli.stats.t_tests import Difference


def verdict_sentence(found: SeedContrast, how: MetricChoice) -> str:
    """Return a verdict's sentence: `TVO − GRPO = +2.1 points, 95% CI [−0.4, +4.6], 5 paired seeds: not separated …`."""
    names = f"{_arm_title_in_verdict(found.a, found)} {formatting.MINUS} {_arm_title_in_verdict(found.b, found)}"
    said = found.over_seeds
    if math.isnan(said.difference):
        return f"{names}: {_sentence_without_values(found)}"
    return f"{names} = {difference_text(said, how)}, {_seeds_in_words(found)}: {_verdict_outcome_in_words(found)}"


def _arm_title_in_verdict(cell: ArmAtRate, found: SeedContrast) -> str:
    return formatting.arm_title(cell.arm)


def _sentence_without_values(found: SeedContrast) -> str:
    empty = [
        formatting.arm_title(cell.arm) for cell, n in zip((found.a, found.b), found.pending) if n == len(cell.trials)
    ]
    return f"no run of {' and of '.join(empty) or 'one arm'} has a final value yet"


def difference_text(said: Difference, how: MetricChoice) -> str:
    """Return a difference with its interval: `+2.1 points, 95% CI [−0.4, +4.6]`."""
    scale, unit, decimals = (
        (100.0, " points", 1) if how.share else (1.0, "", formatting.decimals_of_size(abs(said.difference)))
    )
    text = f"{formatting.format_signed(scale * said.difference, decimals)}{unit}"
    if math.isnan(said.low):
        return f"{text} (no interval)"
    low, high = (formatting.format_signed(scale * end, decimals) for end in (said.low, said.high))
    return f"{text}, {how.confidence:.0%} CI [{low}, {high}]"


def _seeds_in_words(found: SeedContrast) -> str:
    if found.paired:
        return formatting.count_of(found.over_seeds.n, "paired seed")
    first, second = map(len, found.values)
    return f"{formatting.count_of(first, 'seed')} against {second}, unpaired"


def _verdict_outcome_in_words(found: SeedContrast) -> str:
    said = found.over_seeds
    if said.n < 2:
        return "one seed has no spread, so nothing can be said; at least 2 are needed, 5 or more are useful"
    if said.method == "exact permutation" and said.difference:
        least = f"p {_p_value_text(said.p)} is the least these seeds can give"
        return f"{'separated' if found.separated else 'not separated'}; no spread between seeds, {least}"
    p = f"p {_p_value_text(found.adjusted)}" + (f", Holm over {found.family}" if found.family > 1 else "")
    if found.separated:
        return f"{'separated so far' if found.provisional else 'separated'} ({p})"
    alone = ""
    if said.p < 1.0 - found.confidence:
        alone = f"; alone it would be (p {_p_value_text(said.p)}), among {found.family} comparisons it is not"
    return f"not separated ({p}){alone}; {_seeds_needed_in_words(found)}"


def _seeds_needed_in_words(found: SeedContrast) -> str:
    if found.needed is None:
        return "no difference was seen, so no number of seeds can be named"
    if found.needed >= CAP:
        return "more than 10,000 seeds would be needed: the difference is noise for every practical purpose"
    if found.needed <= found.over_seeds.n:
        return "a difference this large is usually separated with as many seeds"
    return f"about {formatting.count_of(found.needed, 'seed')} would be needed"


def _p_value_text(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"


def sentences_beside_verdict(
    found: SeedContrast, problem: ProblemContrast | str | None, how: MetricChoice
) -> Iterator[str]:
    """Yield what must stand beside a verdict: collapses, runs without a partner or a value, the view by problem."""
    told = [_collapses_in_verdict(cell, how) for cell in (found.a, found.b)]
    if any(one and not one.startswith("0 ") for one in told):
        both = ", ".join(
            f"{formatting.arm_title(c.arm)} {t or 'not watched'}" for c, t in zip((found.a, found.b), told)
        )
        yield f"collapsed: {both}; with rare collapses no interval of a mean holds, weigh these beside it"
    if found.shared > 1:
        too_few = f"{found.shared} seeds are in both arms, fewer than half of an arm's"
        yield f"{too_few}: not paired, all runs compared"
    for cell, alone, waiting, elsewhere in zip(
        (found.a, found.b), found.unmatched, found.pending, found.elsewhere, strict=True
    ):
        name = formatting.arm_title(cell.arm)
        if alone:
            left = ", ".join(f"seed {seed}: {_final_value_in_verdict(cell, seed, how)}" for seed in alone)
            seeds = formatting.count_of(len(alone), "seed")
            yield f"{seeds} of {name} without a partner, not in the difference ({left})"
        if waiting:
            yield f"provisional: {formatting.count_of(waiting, 'run')} of {name} not finished, no final value yet"
        if elsewhere:
            runs = formatting.count_of(elsewhere, "run")
            yield f"provisional: {runs} of {name} at other rates not finished, its best rate may change"
    if isinstance(problem, ProblemContrast):
        size = f"{problem.problems} problems × {problem.samples} samples"
        yield f"by problem, for these very policies: {difference_text(problem.over_problems, how)}, {size}, paired"


def _final_value_in_verdict(cell: ArmAtRate, seed: str, how: MetricChoice) -> str:
    trial = cell.by_seed.get(seed)
    if trial is None:
        return formatting.UNKNOWN
    return formatting.format_metric(final_value(trial, how), how.share) + (
        ", collapsed" if trial.collapsed_at is not None else ""
    )


def _collapses_in_verdict(cell: ArmAtRate, how: MetricChoice) -> str:
    found = collapse_rate_of(cell.trials, how.confidence)
    if not found.watched:
        return ""
    low, high = 100 * found.rate.low, 100 * found.rate.high
    return f"{found.collapsed} of {found.watched} [{low:.0f}, {high:.0f}]%"


def robustness_sentences(found: BlockAnalysis, how: MetricChoice) -> tuple[str, ...]:
    """Return area and worst case over the shared rates as sentences."""
    told, unit = [], "%" if how.share else ""
    for arm in found.block.arms:
        robust = found.robust[arm.label]
        if robust is not None:
            area = f"{formatting.format_metric(robust.area.mean, how.share)}{unit}"
            span = formatting.format_span(robust.area.low, robust.area.high, how.share)
            at = formatting.format_rate(robust.worst_rate)
            worst = f"{formatting.format_metric(robust.worst_mean, how.share)}{unit} at its worst rate ({at})"
            told.append(f"{arm.title}: {area} {span} on average over log rate, {worst}")
    left_out = rate_robustness.left_out_of_robustness(found.block.arms, found.shared, how) if told else []
    return (*told, *(f"area, {verdict_sentence(one, how)}" for one in found.areas), *left_out)

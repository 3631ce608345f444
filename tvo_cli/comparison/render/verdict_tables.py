"""The tables behind the verdicts: comparisons, robustness over rates, problems, aggregates over runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tvo_cli.comparison import formatting
from tvo_cli.comparison.analysis import metric_choice
from tvo_cli.comparison.analysis.block_analysis import BlockAnalysis
from tvo_cli.comparison.analysis.contrast_over_seeds import SeedContrast
from tvo_cli.comparison.analysis.metric_choice import MetricChoice
from tvo_cli.comparison.render.table_cells import (
    Table,
    TableCell,
    count_cell,
    greyed_cell,
    interval_cell,
    metric_cell,
    number_cell,
    rate_cell,
    text_cell,
)
from tvo_cli.stats import robust_aggregates
from tvo_cli.stats.t_tests import Difference


def comparisons_table(found: BlockAnalysis) -> Table:
    """Return the table of every comparison: at the own rates, then at each shared one."""
    headings = [
        "comparison",
        "rate",
        "difference",
        "low",
        "high",
        "n",
        "method",
        "p",
        "p (Holm)",
        "separated",
        "seeds needed",
    ]
    rows = [_comparison_row(one, "own") for one in found.own] + [_comparison_row(one, "") for one in found.at_rates]
    unit = "points" if found.how.share else found.how.metric
    note = (
        f"In {unit}. Paired by seed where the arms share two seeds or more and half of each arm's, else Welch's t. "
        "Holm: over the comparisons at own rates, "
        "and by itself over all those at shared rates. Seeds needed: for 80% power, if the "
        "difference seen were the true one."
    )
    return Table(
        "comparisons",
        "The comparisons in numbers",
        headings,
        [_differences_in_points(row, found.how) for row in rows],
        note,
    )


def _comparison_row(one: SeedContrast, at: str) -> list[TableCell]:
    """Return the row of one comparison."""
    said = one.over_seeds
    names = f"{one.a.arm} {formatting.MINUS} {one.b.arm}"
    return [
        text_cell(names),
        text_cell(at) if at else rate_cell(one.a.rate),
        *(number_cell(value) for value in (said.difference, said.low, said.high)),
        count_cell(said.n),
        text_cell(said.method),
        number_cell(said.p, 2),
        number_cell(one.adjusted, 2),
        text_cell("yes" if one.separated else "no"),
        count_cell(one.needed),
    ]


def _differences_in_points(row: Sequence[TableCell], how: MetricChoice) -> list[TableCell]:
    """Return a row whose differences of shares are shown in points; their values stay shares."""
    if not how.share:
        return list(row)
    shown = [
        cell._replace(text=formatting.format_signed(100 * cell.value, 1)) if cell.value is not None else cell
        for cell in row[2:5]
    ]
    return [*row[:2], *shown, *row[5:]]


def verdict_robustness_table(found: BlockAnalysis) -> Table:
    """Return the table of area and worst case over the shared rates."""
    how, rows = found.how, []
    for arm in found.block.arms:
        over_rates = found.robust[arm.label]
        if over_rates is None:
            continue
        worst = [
            metric_cell(over_rates.worst_mean, how.share),
            rate_cell(over_rates.worst_rate),
            metric_cell(over_rates.worst_run, how.share),
        ]
        rows.append([text_cell(arm.label), interval_cell(over_rates.area, how.share), *worst])
    shared = ", ".join(formatting.format_rate(one) for one in found.shared) or "none"
    note = (
        f"Over the rates {shared}: those that all arms share, or the baseline's where all share fewer "
        "than two; an arm that was not run at each of them has no row. Area: the mean of the final "
        "value over log rate, by trapezoids, one a seed that has a result at each."
    ) + ("" if len(found.shared) > 1 else " With fewer than two rates there is nothing to say.")
    return Table(
        "robustness",
        "Robustness over the learning rate",
        ["arm", "area", "worst rate's mean", "worst rate", "worst run"],
        rows,
        note,
    )


def verdict_aggregates_table(found: BlockAnalysis) -> Table:
    """Return the table of interquartile mean, probability of improvement and optimality gap."""
    how = found.how
    base = list(found.chosen[found.baseline.label].values(how).values())
    rows = []
    for arm in found.block.arms:
        mine = list(found.chosen[arm.label].values(how).values())
        short = robust_aggregates.reason_against_robust_aggregates(len(mine), "interquartile mean")
        middle = (
            greyed_cell(short)
            if short
            else interval_cell(robust_aggregates.interquartile_mean_interval(mine, how.confidence), how.share)
        )
        gap = (
            metric_cell(robust_aggregates.optimality_gap(mine), True)
            if how.share and mine and not how.less
            else TableCell(formatting.UNKNOWN)
        )
        rows.append(
            [
                text_cell(arm.label),
                count_cell(len(mine)),
                middle,
                _probability_of_improvement_cell(arm.label == found.baseline.label, mine, base, how),
                gap,
            ]
        )
    headings = ["arm", "runs", "interquartile mean", f"better than {found.baseline.label} (%)", "short of 100%"]
    note = (
        "At the arms' own rates, corrected as in the table of arms. Better: the probability that a run of the arm "
        "beats one of the baseline, ties half (arXiv:2108.13264)."
    )
    return Table("aggregates", "Aggregates over runs", headings, rows, note)


def _probability_of_improvement_cell(
    same: bool, mine: Sequence[float], base: Sequence[float], how: metric_choice.MetricChoice
) -> TableCell:
    """Return the cell of the probability that a run of the arm beats one of the baseline."""
    if same:
        return TableCell("(baseline)")
    mine, base = (base, mine) if how.less else (mine, base)
    short = robust_aggregates.reason_against_robust_aggregates(min(len(mine), len(base)), "probability of improvement")
    return (
        greyed_cell(short)
        if short
        else interval_cell(robust_aggregates.probability_of_improvement(mine, base, how.confidence), True)
    )


def verdict_problems_table(found: BlockAnalysis) -> Table:
    """Return the table of comparisons over problems."""
    rows = []
    for label, seen in found.problems.items():
        name = text_cell(f"{label} {formatting.MINUS} {found.baseline.label}")
        if isinstance(seen, str):
            rows.append([name, greyed_cell(seen), *[TableCell(formatting.UNKNOWN)] * 4])
            continue
        ends = [_problem_difference_cell(one) for one in (seen.over_problems, seen.bootstrap)]
        rows.append(
            [name, *ends, number_cell(seen.over_problems.p, 2), count_cell(seen.problems), count_cell(seen.samples)]
        )
    note = (
        "For these very policies: what other problems of this kind would say. Each problem's mean "
        "over its samples and the arm's finished runs, at the "
        "arms' own rates, paired by problem; the t interval over problems, and a bootstrap that "
        "draws problems, then their samples. Points."
    )
    headings = ["comparison", "difference, t over problems", "clustered bootstrap", "p", "problems", "samples a run"]
    return Table("problems", "By problem", headings, rows, note)


def _problem_difference_cell(one: Difference) -> TableCell:
    """Return the cell of a difference over problems, in points."""
    ends = (
        ""
        if math.isnan(one.low)
        else f" [{formatting.format_signed(100 * one.low, 1)}, {formatting.format_signed(100 * one.high, 1)}]"
    )
    return TableCell(formatting.format_signed(100 * one.difference, 1) + ends, one._asdict(), one.difference)

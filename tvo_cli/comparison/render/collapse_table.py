"""The table of how often and when the arms collapsed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tvo_cli.comparison import formatting
from tvo_cli.comparison.analysis import collapse_rate, run_values
from tvo_cli.comparison.analysis.block_analysis import BlockAnalysis
from tvo_cli.comparison.analysis.metric_choice import MetricChoice
from tvo_cli.comparison.render.table_cells import (
    Table,
    TableCell,
    count_cell,
    interval_cell,
    rate_cell,
    text_cell,
)
from tvo_cli.runs.trial import Trial


def collapse_table(found: BlockAnalysis) -> Table:
    """Return the table of collapses: how often and when, at every rate."""
    rows = [_collapse_row(arm.label, None, arm.trials, found.how) for arm in found.block.arms if len(arm.cells) > 1]
    rows += [_collapse_row(cell.arm, cell.rate, cell.trials, found.how) for cell in found.cells]
    headings = [
        "arm",
        "rate",
        "collapsed",
        "watched",
        "rate of collapse (%)",
        "median step",
        "mean step until collapse",
    ]
    note = (
        "Wilson's interval. Median and mean of the step of collapse by Kaplan and Meier; runs that "
        "end without a collapse, finished or not, are "
        "censored there. The mean counts the last step for runs that stand. A rate «all» pools the "
        "rates that were run: it depends on which."
    )
    return Table("collapse", "Collapse", headings, rows, note)


def _collapse_row(label: str, at: float | None, trials: Sequence[Trial], how: MetricChoice) -> list[TableCell]:
    """Return an arm's row of the collapse table."""
    from tvo_cli.stats.survival import median_survival_time, restricted_mean_survival

    several = len({trial.rate for trial in trials}) > 1
    seen = collapse_rate.collapse_rate_of(trials, how.confidence)
    head = [text_cell(label), TableCell("all", "all", 0.0) if several else rate_cell(at)]
    if seen.survival is None:
        return [
            *head,
            *[TableCell(formatting.UNKNOWN)] * 2,
            text_cell("not watched"),
            *[TableCell(formatting.UNKNOWN)] * 2,
        ]
    middle = median_survival_time(seen.survival)
    until = (
        restricted_mean_survival(seen.survival, seen.horizon, how.confidence)
        if seen.horizon
        else run_values.NO_INTERVAL
    )
    never = TableCell("not reached", None, math.inf)
    steps = [never if middle is None else count_cell(middle), interval_cell(until) if seen.collapsed else never]
    return [*head, count_cell(seen.collapsed), count_cell(seen.watched), interval_cell(seen.rate, True), *steps]

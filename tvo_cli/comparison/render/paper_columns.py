"""The columns that a paper's table may have: heading, the text of each cell, and the arm that is best in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tvo_cli.comparison import formatting
from tvo_cli.comparison.analysis import run_values
from tvo_cli.comparison.analysis.arms_and_blocks import Arm, ArmAtRate
from tvo_cli.comparison.analysis.best_arm import ValuesBySeed, best_arm
from tvo_cli.comparison.analysis.block_analysis import BlockAnalysis
from tvo_cli.comparison.analysis.collapse_rate import collapse_rate_of
from tvo_cli.comparison.analysis.contrast_over_seeds import SeedContrast
from tvo_cli.comparison.analysis.evaluation_protocol_check import was_evaluated_alike
from tvo_cli.config import nearest_names
from tvo_cli.errors import UserError
from tvo_cli.runs.trial import Trial
from tvo_cli.stats.confidence_interval import ConfidenceInterval

DEFAULT_COLUMNS = ("rate", "seeds", "final", "difference", "collapsed")
PLUS_MINUS, STAR = "±", "*"
Values = Callable[[BlockAnalysis, Arm], ValuesBySeed]


class PaperColumn(NamedTuple):
    """A column: its heading, the text of an arm's cell, and the values by seed whose best arm may stand in bold."""

    heading: Callable[[BlockAnalysis], str]
    cell: Callable[[BlockAnalysis, Arm], str]
    values: Values | None = None


def paper_columns(names: Sequence[str]) -> dict[str, PaperColumn]:
    """Return the columns of these names, in this order; UserError for one that there is not."""
    for name in names:
        if name not in COLUMNS:
            remedy = nearest_names(name, COLUMNS) or f"Columns: {', '.join(COLUMNS)}."
            raise UserError("--columns", name, "there is no such column.", f"{remedy} All: {', '.join(COLUMNS)}.")
    return {name: COLUMNS[name] for name in dict.fromkeys(names)}


def mean_and_half_width(found: ConfidenceInterval, *, share: bool = False, signed: bool = False) -> str:
    """Return a paper's cell, `61.2 ± 3.4`: the mean and half the width of its interval; of one run the mean alone."""
    if math.isnan(found.mean):
        return formatting.UNKNOWN
    scale, half = (100.0 if share else 1.0), (found.high - found.low) / 2
    decimals = 1 if share else _decimals_of_column(found.mean if math.isnan(half) else half)
    write = formatting.format_signed if signed else formatting.format_fixed
    mean = write(scale * found.mean, decimals)
    return mean if math.isnan(half) else f"{mean} {PLUS_MINUS} {formatting.format_fixed(scale * half, decimals)}"


def _decimals_of_column(size: float) -> int:
    """Return the decimals that show two digits of a number of this size in a paper's cell."""
    return 0 if size == 0 else max(0, 1 - math.floor(math.log10(abs(size))))


def _final_values_of_column(found: BlockAnalysis, arm: Arm) -> ValuesBySeed:
    return found.chosen[arm.label].values(found.how)


def _area_values(found: BlockAnalysis, arm: Arm) -> ValuesBySeed:
    robust = found.robust[arm.label]
    return robust.areas if robust is not None else {}


def _mean_column_cell(found: BlockAnalysis, values: Sequence[float | None]) -> str:
    interval = run_values.mean_of_known_values(list(values), found.how.confidence)
    return mean_and_half_width(interval, share=found.how.share)


def _best_cell(found: BlockAnalysis, arm: Arm) -> str:
    trials = found.chosen[arm.label].cell.trials
    return _mean_column_cell(found, run_values.best_values_of_counted_runs(trials, found.how))


def _difference_column_cell(found: BlockAnalysis, arm: Arm) -> str:
    one = column_contrast_with_baseline(found, arm)
    if one is None:
        return "(baseline)"
    said = one.over_seeds
    interval = ConfidenceInterval(said.difference, said.low, said.high, said.n)
    shown = mean_and_half_width(interval, share=found.how.share, signed=True)
    return shown + (STAR if one.separated else "")


def column_contrast_with_baseline(found: BlockAnalysis, arm: Arm) -> SeedContrast | None:
    """Return the contrast of an arm and the baseline, each at its own rate; None of the baseline itself."""
    return next((one for one in found.own if one.a.arm == arm.label), None)


def _p_cell(found: BlockAnalysis, arm: Arm) -> str:
    one = column_contrast_with_baseline(found, arm)
    if one is None or math.isnan(one.adjusted):
        return formatting.UNKNOWN
    return "<0.001" if one.adjusted < 0.001 else formatting.format_number(one.adjusted, 2)


def _collapsed_column_cell(found: BlockAnalysis, arm: Arm) -> str:
    seen = collapse_rate_of(found.chosen[arm.label].cell.trials, found.how.confidence)
    return f"{seen.collapsed}/{seen.watched}" if seen.watched else formatting.UNKNOWN


def _area_cell(found: BlockAnalysis, arm: Arm) -> str:
    robust = found.robust[arm.label]
    return formatting.UNKNOWN if robust is None else mean_and_half_width(robust.area, share=found.how.share)


def _worst_cell(found: BlockAnalysis, arm: Arm) -> str:
    robust = found.robust[arm.label]
    return formatting.UNKNOWN if robust is None else formatting.format_metric(robust.worst_mean, found.how.share)


def _cost_cell(read: Callable[[Trial], float | None], unit: float) -> Callable[[BlockAnalysis, Arm], str]:
    """Return the cell of a mean cost over an arm's runs that ended, in a unit."""

    def cell(found: BlockAnalysis, arm: Arm) -> str:
        known = [read(trial) for trial in run_values.runs_that_ended(found.chosen[arm.label].cell.trials)]
        scaled = [None if value is None else value / unit for value in known]
        return mean_and_half_width(run_values.mean_of_known_values(scaled, found.how.confidence))

    return cell


def _metric_column_heading(found: BlockAnalysis) -> str:
    """Return the heading of the column of final values: `pass@1 (%)`."""
    return (found.how.metric.rpartition("eval/")[2] or found.how.metric) + _unit_of_column(found)


def _unit_of_column(found: BlockAnalysis) -> str:
    """The unit in the heading of a paper's column: ` (%)` of a share."""
    return " (%)" if found.how.share else ""


def _fixed(heading: str) -> Callable[[BlockAnalysis], str]:
    return lambda found: heading


def _column_heading_with_unit(heading: str) -> Callable[[BlockAnalysis], str]:
    return lambda found: heading + _unit_of_column(found)


def _difference_column_heading(found: BlockAnalysis) -> str:
    return f"{formatting.MINUS} {found.baseline.title}" + (" (points)" if found.how.share else "")


COLUMNS: Mapping[str, PaperColumn] = {
    "rate": PaperColumn(_fixed("rate"), lambda found, arm: formatting.format_rate(found.chosen[arm.label].best)),
    "seeds": PaperColumn(_fixed("seeds"), lambda found, arm: str(len(_final_values_of_column(found, arm)))),
    "final": PaperColumn(
        _metric_column_heading,
        lambda found, arm: _mean_column_cell(found, list(_final_values_of_column(found, arm).values())),
        _final_values_of_column,
    ),
    "best": PaperColumn(_column_heading_with_unit("best"), _best_cell),
    "difference": PaperColumn(_difference_column_heading, _difference_column_cell),
    "p": PaperColumn(_fixed("p"), _p_cell),
    "collapsed": PaperColumn(_fixed("collapsed"), _collapsed_column_cell),
    "area": PaperColumn(_column_heading_with_unit("over rates"), _area_cell, _area_values),
    "worst": PaperColumn(_column_heading_with_unit("worst rate"), _worst_cell),
    "hours": PaperColumn(_fixed("hours"), _cost_cell(run_values.seconds_of_run, 3600.0)),
    "tokens": PaperColumn(_fixed("tokens (M)"), _cost_cell(run_values.tokens_of_run, 1e6)),
}


def best_arm_of_column(column: PaperColumn, found: BlockAnalysis) -> str | None:
    """Return the arm that a paper's table has in bold in a column.

    None where arms were evaluated in different ways, or where a run of an arm is not finished, at whichever rate: it
    may change the arm's best rate, or the area over all of them.
    """
    if column.values is None or not was_evaluated_alike(found.block, found.how):
        return None
    arms = {arm.label: (ArmAtRate(arm.label, None, arm.trials), column.values(found, arm)) for arm in found.block.arms}
    return best_arm(arms, found.how)

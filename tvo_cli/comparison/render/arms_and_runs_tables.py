"""The tables of arms, of arms at every rate, of runs, and of the settings in which arms differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tvo_cli.comparison import formatting
from tvo_cli.comparison.analysis import (
    metric_choice,
    run_values,
)
from tvo_cli.comparison.analysis.arms_and_blocks import ArmAtRate
from tvo_cli.comparison.analysis.block_analysis import BlockAnalysis
from tvo_cli.comparison.analysis.metric_choice import MetricChoice
from tvo_cli.comparison.analysis.rate_choice import RATE_CHOICES
from tvo_cli.comparison.render.table_cells import (
    Table,
    TableCell,
    count_cell,
    interval_cell,
    metric_cell,
    rate_cell,
    text_cell,
)
from tvo_cli.report.known_failure import known_failure
from tvo_cli.runs.trial import FAILED, FINISHED, UNFINISHED, Trial
from tvo_cli.stats.confidence_interval import ConfidenceInterval

MARKS = "† collapsed, × failed (counted by the rule), … not finished, · left out"


def run_counts_of_outcome(trials: Sequence[Trial]) -> list[TableCell]:
    """Return the cells of an outcome table that count runs: all, finished, collapsed, failed, unfinished."""
    counts = Counter(trial.state for trial in trials)
    fallen = sum(trial.collapsed_at is not None for trial in trials)
    watched = any(trial.watched for trial in trials)
    collapsed = count_cell(fallen) if watched else TableCell(formatting.UNKNOWN)
    return [
        count_cell(len(trials)),
        count_cell(counts[FINISHED]),
        collapsed,
        count_cell(counts[FAILED]),
        count_cell(counts[UNFINISHED]),
    ]


STATES = ("runs", "finished", "collapsed", "failed", "unfinished")


def arms_table(found: BlockAnalysis) -> Table:
    """Return the table of arms, a row each, at its own rate."""
    how, percent = found.how, " (%)" if found.how.share else ""
    rows = []
    for arm in found.block.arms:
        chosen = found.chosen[arm.label]
        mine = chosen.cell
        best = run_values.mean_of_known_values(run_values.best_values_of_counted_runs(mine.trials, how), how.confidence)
        row = [text_cell(arm.label), rate_cell(chosen.best), *run_counts_of_outcome(arm.trials)]
        final = run_values.mean_of_known_values(list(chosen.values(how).values()), how.confidence)
        row += [interval_cell(final, how.share), interval_cell(best, how.share)]
        if found.swept:
            row.append(metric_cell(chosen.optimistic, how.share))
        rows.append([*row, _final_outcomes_of_seeds(mine, how)])
    headings = ["arm", "rate", *STATES, f"final{percent}", f"best{percent}"]
    headings += ["chosen on the same seeds"] if found.swept else []
    return Table(
        "arms",
        "The arms" + (", each at its own best rate" if found.swept else ""),
        [*headings, "each seed"],
        rows,
        _note_on_arms_table(found),
    )


def _note_on_arms_table(found: BlockAnalysis) -> str:
    how = found.how
    ways = {chosen.way for chosen in found.chosen.values() if chosen.way}
    told = [f"Mean and {how.confidence:.0%} t interval over seeds of {how.metric}. {how.rule()}"]
    told.append(f"Best: {note_on_best_values(found)}: {end_of_noise(how)}, so optimistic. Seeds: {MARKS}.")
    for way in sorted(ways):
        told.append(
            f"Rates chosen by --choose-rate {way}: {RATE_CHOICES[way]}. The counts are of the runs at all rates. "
            "«chosen on the same seeds» is the mean at the rate in the table, selected and scored on the same "
            "seeds: optimistic. «each seed» shows the values as they were measured."
        )
    return " ".join(told)


def end_of_noise(how: MetricChoice) -> str:
    """Return which of its noisy readings an outcome table calls a run's best."""
    return f"the {'lowest' if how.less else 'highest'} of noisy readings"


def note_on_best_values(found: BlockAnalysis) -> str:
    """Return what the column «best» of an outcome table means."""
    if found.how.evaluated and found.how.metric != run_values.PASS:
        return "the best evaluation"
    evaluations = max((len(trial.run.evaluations) for cell in found.cells for trial in cell.trials), default=0)
    if found.how.evaluated and evaluations > 1:
        return "the best evaluation (a run with one: fresh accuracy over 5 steps)"
    metric = run_values.FRESH if found.how.evaluated else found.how.metric
    return f"the best mean of {metric_choice.WINDOW} steps of {metric}"


def _final_outcome_interval(cell: ArmAtRate, how: MetricChoice) -> ConfidenceInterval:
    """Return mean and interval of the final values, for an outcome table."""
    return run_values.mean_of_known_values(list(run_values.final_values_by_seed(cell, how).values()), how.confidence)


def _final_outcomes_of_seeds(cell: ArmAtRate, how: MetricChoice) -> TableCell:
    """Return the cell with every run's final value, marked by the run's state."""
    shown = [_final_outcome_with_marks(trial, run_values.final_value(trial, how), how) for trial in cell.trials]
    listed = [
        {
            "seed": trial.seed,
            "final": run_values.final_value(trial, how),
            "state": trial.state,
            "collapsed": trial.collapsed_at,
        }
        for trial in cell.trials
    ]
    return TableCell(" ".join(shown), listed)


def _final_outcome_with_marks(trial: Trial, value: float | None, how: MetricChoice) -> str:
    """Return a final value with its marks: † collapsed, × failed, … not finished."""
    if value is None:
        return "…" if trial.state == UNFINISHED else "·"
    marks = ("†" if trial.collapsed_at is not None else "") + ("×" if trial.state == FAILED else "")
    return formatting.format_metric(value, how.share) + marks


def rates_table(found: BlockAnalysis) -> Table:
    """Return the table of arms at every rate, a row each: nothing is pooled over rates."""
    how, percent = found.how, " (%)" if found.how.share else ""
    rows = []
    for cell in found.cells:
        best = run_values.mean_of_known_values(run_values.best_values_of_counted_runs(cell.trials, how), how.confidence)
        final = [interval_cell(_final_outcome_interval(cell, how), how.share), interval_cell(best, how.share)]
        rows.append(
            [
                text_cell(cell.arm),
                rate_cell(cell.rate),
                *run_counts_of_outcome(cell.trials),
                *final,
                _final_outcomes_of_seeds(cell, how),
            ]
        )
    headings = ["arm", "rate", *STATES, f"final{percent}", f"best{percent}", "each seed"]
    return Table("rates", "Every arm at every learning rate", headings, rows, f"Seeds: {MARKS}.")


def runs_table(found: BlockAnalysis) -> Table:
    """Return the table of every run."""
    headings = ["run", "arm", "rate", "seed", "state", "steps", "final", "best", "collapsed at", "failure", "remark"]
    rows = [row for arm in found.block.arms for row in _rows_of_runs_table(arm.label, arm.trials, found.how)]
    return Table("runs", "Every run", headings, rows)


def _rows_of_runs_table(label: str, trials: Sequence[Trial], how: MetricChoice) -> Iterator[list[TableCell]]:
    """Yield the rows of the table of runs."""
    for trial in trials:
        values = (
            metric_cell(run_values.final_value(trial, how), how.share),
            metric_cell(run_values.best_value(trial, how), how.share),
        )
        head = [
            text_cell(trial.name),
            text_cell(label),
            rate_cell(trial.rate),
            text_cell(trial.seed),
            text_cell(trial.state),
            count_cell(trial.last_step),
        ]
        failure = text_cell(known_failure(trial.run.folder, trial.run.collapse))
        yield [*head, *values, count_cell(trial.collapsed_at), failure, text_cell(trial.why)]


def differing_settings_table(found: BlockAnalysis) -> Table:
    """Return the table of settings in which the arms differ."""
    labels = [arm.label for arm in found.block.arms]
    rows = [[text_cell(one.key), text_cell(one.why), *map(text_cell, one.values)] for one in found.block.differing]
    note = "Settings in which the arms differ; the seed, names, folders and loggers are left out."
    return Table("settings", "What differs", ["setting", "why", *labels], rows, note)

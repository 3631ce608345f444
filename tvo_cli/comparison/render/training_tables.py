"""The tables of how the arms trained: gradients, sample efficiency, entropy, cost, the entropy law."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean

from tvo_cli.comparison import formatting
from tvo_cli.comparison.analysis import gradient_ratio, metric_choice, run_values
from tvo_cli.comparison.analysis.arms_and_blocks import ArmAtRate
from tvo_cli.comparison.analysis.block_analysis import BlockAnalysis
from tvo_cli.comparison.analysis.entropy_law import fit_entropy_law_of_run
from tvo_cli.comparison.analysis.gradient_ratio import GradientRatio
from tvo_cli.comparison.render.table_cells import (
    Table,
    TableCell,
    arm_and_rate_cells,
    count_cell,
    interval_cell,
    number_cell,
    text_cell,
)
from tvo_cli.runs.trial import FAILED, Trial
from tvo_cli.stats import log_scale
from tvo_cli.stats.confidence_interval import ConfidenceInterval
from tvo_cli.stats.sample_efficiency import ThresholdCrossing
from tvo_cli.stats.survival import kaplan_meier, median_survival_time

VARIANCE, SIGNAL = "gradient/variance", "gradient/signal"
THRESHOLDS = tuple(i / 10 for i in range(1, 10))
MOST_THRESHOLDS = 4  # thresholds that are shown


def gradients_table(found: BlockAnalysis) -> Table:
    """Return the table of gradient variance against the baseline at matched steps, and of its jumps."""
    base_own = found.chosen[found.baseline.label].cell
    base = {cell.rate: cell for cell in found.baseline.cells}
    rows = []
    for cell in found.cells_with_own:
        against = base_own if cell.rate is None or not found.swept else base.get(cell.rate)
        jumps = run_values.mean_of_known_values(
            [_log_fluctuation_of_gradient(trial) for trial in cell.trials], found.how.confidence
        )
        norms = [run_values.metric_mean_over_steps("gradient/log_fluctuation")(trial) for trial in cell.trials]
        fluctuations = [
            interval_cell(jumps),
            interval_cell(run_values.mean_of_known_values(norms, found.how.confidence)),
        ]
        rows.append(
            [*arm_and_rate_cells(cell), *_gradient_ratio_cells(cell, against, found.how.confidence), *fluctuations]
        )
    name = found.baseline.label
    headings = [
        *("arm", "rate", f"noise over signal, ratio to {name}", f"variance, ratio to {name}"),
        *("log-fluctuation of the variance", "mean jump of the norm"),
    ]
    note = (
        "At the steps that both runs of a pair of seeds recorded, paired by seed, with the t "
        "interval of the logs. Noise over "
        "signal: the sum of the variance over the sum of the signal; pairs without a signal in that sum are left out. "
        "Variance: geometric means, steps at which one is not above 0 left out; it falls with "
        "anything that shrinks the "
        "gradient, so compare arms by noise over signal. Log-fluctuation: sd of log jumps over √2, in nats. "
        "Mean jump: the reading gradient/log_fluctuation, another number."
    )
    return Table("gradients", "Gradient variance and its fluctuation", headings, rows, note)


def _gradient_ratio_cells(cell: ArmAtRate, against: ArmAtRate | None, confidence: float) -> list[TableCell]:
    """Return the cells that compare an arm's gradient variance with the baseline's."""
    if against is None or cell.arm == against.arm:
        return [TableCell("1 (baseline)" if against is not None else formatting.UNKNOWN)] * 2
    noise = gradient_ratio.noise_over_signal_ratio(cell, against, VARIANCE, SIGNAL, confidence)
    variance = gradient_ratio.gradient_variance_ratio(cell, against, VARIANCE, confidence)
    silent = f" ({formatting.count_of(noise.skipped, 'pair')} without a signal)" if noise and noise.skipped else ""
    shown = [_gradient_ratio_cell(seen) if seen else TableCell(formatting.UNKNOWN) for seen in (noise, variance)]
    return [shown[0]._replace(text=shown[0].text + silent), shown[1]]


def _gradient_ratio_cell(seen: GradientRatio) -> TableCell:
    one = seen.ratio
    ends = (
        "" if math.isnan(one.low) else f" [{formatting.format_number(one.low)}, {formatting.format_number(one.high)}]"
    )
    return TableCell(
        formatting.format_number(one.mean) + ends,
        {**one._asdict(), "steps": seen.steps, "left out": seen.skipped},
        one.mean,
    )


def _log_fluctuation_of_gradient(trial: Trial) -> float | None:
    """Return the cell of a training table for the log-fluctuation of a run's gradient variance."""
    value = log_scale.series_log_fluctuation(trial.run.curve(VARIANCE)[1])
    return None if math.isnan(value) else value


def training_accuracy_thresholds(trials: Sequence[Trial]) -> tuple[float, ...]:
    """Return the accuracies of the sample-efficiency table: tenths above the start that some run reached."""
    starts = [
        values[0] for trial in trials if (values := run_values.finite_run_values(trial.run.curve(run_values.FRESH)[1]))
    ]
    tops = [
        value
        for trial in trials
        for value in run_values.finite_run_values(run_values.running_means(trial.run.curve(run_values.FRESH)[1]))
    ]
    if not starts or not tops:
        return ()
    return tuple(one for one in THRESHOLDS if fmean(starts) < one <= max(tops))[-MOST_THRESHOLDS:]


def sample_efficiency_table(found: BlockAnalysis) -> Table:
    """Return the table of rollouts until the fresh accuracy reaches each threshold."""
    limits = training_accuracy_thresholds([trial for cell in found.cells for trial in cell.trials])
    rows = [
        [*arm_and_rate_cells(cell), *(one for limit in limits for one in _rollouts_until_cells(cell, limit))]
        for cell in found.cells_with_own
    ]
    headings = [
        "arm",
        "rate",
        *(f"{100 * limit:.0f}%: {what}" for limit in limits for what in ("median rollouts", "reached")),
    ]
    note = (
        f"Rollouts until the mean of {metric_choice.WINDOW} steps of {run_values.FRESH} stands at the "
        "threshold. Median by Kaplan and Meier: runs that never "
        "got there are censored at their end, one that failed before its first step at 0, so "
        "«not reached» means that half of the runs did not."
    )
    return Table(
        "efficiency",
        "Sample efficiency",
        headings,
        rows,
        note if limits else f"No run has {run_values.FRESH} above its start.",
    )


def _rollouts_until_cells(cell: ArmAtRate, limit: float) -> list[TableCell]:
    """Return the cells of median rollouts until a threshold, and of how many runs reached it."""
    seen = [trial for trial in cell.trials if trial.has(run_values.FRESH)]
    crossings = [run_values.rollouts_until_accuracy(trial, limit) for trial in seen]
    crossings += [
        ThresholdCrossing(0.0, False) for trial in cell.trials if trial.state == FAILED and not trial.run.steps
    ]
    if not crossings:
        return [TableCell(formatting.UNKNOWN), TableCell(formatting.UNKNOWN)]
    middle = median_survival_time(kaplan_meier([one.x for one in crossings], [one.observed for one in crossings]))
    count = sum(one.observed for one in crossings)
    shown = TableCell("not reached", None, math.inf) if middle is None else count_cell(middle)
    return [shown, TableCell(f"{count} of {len(crossings)}", [count, len(crossings)], float(count))]


def entropy_table(found: BlockAnalysis) -> Table:
    """Return the table of the share of entropy that is left at the end."""
    names = {
        "policy/entropy": "entropy of a token",
        "neutral/entropy": "entropy of neutral words",
        "answer/entropy": "entropy of answers",
    }
    kept = {
        name: what
        for name, what in names.items()
        if any(trial.has(name) for cell in found.cells for trial in cell.trials)
    }
    confidence = found.how.confidence
    rows = []
    for cell in found.cells_with_own:
        shares = [
            run_values.mean_of_known_values(
                [run_values.share_left_at_end(trial, name) for trial in run_values.runs_that_ended(cell.trials)],
                confidence,
            )
            for name in kept
        ]
        rows.append(
            [
                *arm_and_rate_cells(cell),
                *(TableCell(formatting.format_percent(one), one._asdict(), one.mean) for one in shares),
            ]
        )
    note = f"The mean of the last {metric_choice.WINDOW} steps over the first step's value, in percent."
    return Table("entropy", "Entropy kept (%)", ["arm", "rate", *kept.values()], rows, note)


def cost_table(found: BlockAnalysis) -> Table:
    """Return the table of seconds and tokens."""
    readings: tuple[Callable[[Trial], float | None], ...] = (
        run_values.seconds_of_run,
        run_values.tokens_of_run,
        run_values.tokens_per_second_of_run,
    )
    rows = []
    for cell in found.cells_with_own:
        ended = run_values.runs_that_ended(cell.trials)
        seen = [
            run_values.mean_of_known_values([read(trial) for trial in ended], found.how.confidence) for read in readings
        ]
        rows.append([*arm_and_rate_cells(cell), *(_training_cost_cell(one) for one in seen)])
    note = (
        "Mean and t interval over runs: seconds of all steps (evaluations apart), response tokens, "
        "tokens a second. Failed runs are in it, unfinished ones are not."
    )
    return Table("cost", "Time and tokens", ["arm", "rate", "seconds", "tokens", "tokens a second"], rows, note)


def _training_cost_cell(one: ConfidenceInterval) -> TableCell:
    """Return the cell of seconds or tokens, rounded."""
    if math.isnan(one.mean):
        return TableCell(formatting.UNKNOWN)
    digits = 0 if one.mean >= 100 else 1
    ends = "" if math.isnan(one.low) else f" [{one.low:,.{digits}f}, {one.high:,.{digits}f}]"
    return TableCell(f"{one.mean:,.{digits}f}{ends}", one._asdict(), one.mean)


def entropy_law_table(found: BlockAnalysis) -> Table:
    """Return the table of the entropy law's fits, over the runs of an arm."""
    rows = []
    for cell in found.cells_with_own:
        fits = [one for trial in cell.trials if (one := fit_entropy_law_of_run(trial))]
        values = [[getattr(one, name) for one in fits] for name in ("a", "b", "rmse", "r2", "ceiling")]
        means = [run_values.mean_of_known_values(one, found.how.confidence) for one in values]
        above = any(one.ceiling > 1 for one in fits)
        remark = "above the possible 1 in some runs: the law does not reach there" if above else ""
        count = TableCell(f"{len(fits)} of {len(cell.trials)}", [len(fits), len(cell.trials)], float(len(fits)))
        rows.append(
            [
                *arm_and_rate_cells(cell),
                count,
                *(interval_cell(one) for one in means[:2]),
                *(number_cell(one.mean) for one in means[2:4]),
                interval_cell(means[4]),
                text_cell(remark if fits else "entropy did not vary"),
            ]
        )
    headings = ["arm", "rate", "fitted", "a", "b", "rmse", "r²", "ceiling −a + b", "remark"]
    note = (
        "R = −a·e^H + b of each run (arXiv:2505.22617), H the entropy of a token, R the fresh "
        "accuracy of the same steps. The ceiling is an extrapolation to H = 0."
    )
    return Table("law", "Reward against entropy", headings, rows, note)

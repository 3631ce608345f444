"""The tables about how the arms got there: gradients, sample efficiency, entropy, cost, the entropy law."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean

from tvo_cli.compare import formatting
from tvo_cli.compare.analysis import contrast, measures
from tvo_cli.compare.analysis.arms import Cell
from tvo_cli.compare.analysis.block_analysis import Analysis
from tvo_cli.compare.analysis.contrast import GradientRatio
from tvo_cli.compare.render.table_cells import Table, TableCell, greyed, interval, number, rate, reading, text, whole
from tvo_cli.compare.runs.run_record import FAILED, Trial
from tvo_cli.stats import entropy_law_fit, log_scale, robust_aggregates
from tvo_cli.stats.confidence_interval import ConfidenceInterval
from tvo_cli.stats.sample_efficiency import ThresholdCrossing
from tvo_cli.stats.survival import kaplan_meier, median_survival_time
from tvo_cli.stats.t_tests import Difference

VARIANCE, SIGNAL = "gradient/variance", "gradient/signal"
THRESHOLDS = tuple(i / 10 for i in range(1, 10))
MOST = 4  # thresholds that are shown


def shown_cells(found: Analysis) -> list[Cell]:
    """Each arm at its own rate, then every arm at every rate."""
    own = [chosen.cell for chosen in found.chosen.values() if chosen.way]
    return [*own, *found.cells]


def head(cell: Cell) -> list[TableCell]:
    """Arm and rate."""
    return [text(cell.arm), TableCell("own", "own", 0.0) if cell.rate is None and _chosen(cell) else rate(cell.rate)]


def _chosen(cell: Cell) -> bool:
    return any(trial.rate is not None for trial in cell.trials)


def gradients(found: Analysis) -> Table:
    """Variance against the baseline at matched steps, and how much it jumps."""
    base_own = found.chosen[found.baseline.label].cell
    base = {cell.rate: cell for cell in found.baseline.cells}
    rows = []
    for cell in shown_cells(found):
        against = base_own if cell.rate is None or not found.swept else base.get(cell.rate)
        jumps = measures.mean([_jump(trial) for trial in cell.trials], found.how.confidence)
        norms = [measures.over_steps("gradient/log_fluctuation")(trial) for trial in cell.trials]
        fluctuations = [interval(jumps), interval(measures.mean(norms, found.how.confidence))]
        rows.append([*head(cell), *_ratios(cell, against, found.how.confidence), *fluctuations])
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


def _ratios(cell: Cell, against: Cell | None, confidence: float) -> list[TableCell]:
    if against is None or cell.arm == against.arm:
        return [TableCell("1 (baseline)" if against is not None else formatting.UNKNOWN)] * 2
    noise = contrast.noise_ratio(cell, against, VARIANCE, SIGNAL, confidence)
    variance = contrast.variance_ratio(cell, against, VARIANCE, confidence)
    silent = f" ({formatting.count(noise.skipped, 'pair')} without a signal)" if noise and noise.skipped else ""
    shown = [_shown(seen) if seen else TableCell(formatting.UNKNOWN) for seen in (noise, variance)]
    return [shown[0]._replace(text=shown[0].text + silent), shown[1]]


def _shown(seen: GradientRatio) -> TableCell:
    one = seen.ratio
    ends = "" if math.isnan(one.low) else f" [{formatting.number(one.low)}, {formatting.number(one.high)}]"
    return TableCell(
        formatting.number(one.mean) + ends, {**one._asdict(), "steps": seen.steps, "left out": seen.skipped}, one.mean
    )


def _jump(trial: Trial) -> float | None:
    value = log_scale.series_log_fluctuation(trial.run.curve(VARIANCE)[1])
    return None if math.isnan(value) else value


def thresholds(trials: Sequence[Trial]) -> tuple[float, ...]:
    """Tenths above the mean start that at least one run's running mean reached, the highest MOST of them."""
    starts = [values[0] for trial in trials if (values := measures.finite(trial.run.curve(measures.FRESH)[1]))]
    tops = [
        value for trial in trials for value in measures.finite(measures.smoothed(trial.run.curve(measures.FRESH)[1]))
    ]
    if not starts or not tops:
        return ()
    return tuple(one for one in THRESHOLDS if fmean(starts) < one <= max(tops))[-MOST:]


def efficiency(found: Analysis) -> Table:
    """Rollouts until the fresh accuracy stands at each threshold."""
    limits = thresholds([trial for cell in found.cells for trial in cell.trials])
    rows = [
        [*head(cell), *(datum for limit in limits for datum in _reached(cell, limit))] for cell in shown_cells(found)
    ]
    headings = [
        "arm",
        "rate",
        *(f"{100 * limit:.0f}%: {what}" for limit in limits for what in ("median rollouts", "reached")),
    ]
    note = (
        f"Rollouts until the mean of {measures.WINDOW} steps of {measures.FRESH} stands at the "
        "threshold. Median by Kaplan and Meier: runs that never "
        "got there are censored at their end, one that failed before its first step at 0, so "
        "«not reached» means that half of the runs did not."
    )
    return Table(
        "efficiency",
        "Sample efficiency",
        headings,
        rows,
        note if limits else f"No run has {measures.FRESH} above its start.",
    )


def _reached(cell: Cell, limit: float) -> list[TableCell]:
    seen = [trial for trial in cell.trials if trial.has(measures.FRESH)]
    crossings = [measures.reached(trial, limit) for trial in seen]
    crossings += [
        ThresholdCrossing(0.0, False) for trial in cell.trials if trial.state == FAILED and not trial.run.steps
    ]
    if not crossings:
        return [TableCell(formatting.UNKNOWN), TableCell(formatting.UNKNOWN)]
    middle = median_survival_time(kaplan_meier([one.x for one in crossings], [one.observed for one in crossings]))
    count = sum(one.observed for one in crossings)
    shown = TableCell("not reached", None, math.inf) if middle is None else whole(middle)
    return [shown, TableCell(f"{count} of {len(crossings)}", [count, len(crossings)], float(count))]


def entropy(found: Analysis) -> Table:
    """What is left of the entropy."""
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
    for cell in shown_cells(found):
        shares = [measures.mean([measures.kept(trial, name) for trial in cell.trials], confidence) for name in kept]
        rows.append([*head(cell), *(TableCell(formatting.percent(one), one._asdict(), one.mean) for one in shares)])
    note = f"The mean of the last {measures.WINDOW} steps over the first step's value, in percent."
    return Table("entropy", "Entropy kept (%)", ["arm", "rate", *kept.values()], rows, note)


def cost(found: Analysis) -> Table:
    """Time and tokens."""
    readings: tuple[Callable[[Trial], float | None], ...] = (measures.seconds, measures.tokens, measures.speed)
    rows = []
    for cell in shown_cells(found):
        seen = [measures.mean([read(trial) for trial in cell.trials], found.how.confidence) for read in readings]
        rows.append([*head(cell), *(_rounded(one) for one in seen)])
    note = (
        "Mean and t interval over runs: seconds of all steps (evaluations apart), response tokens, "
        "tokens a second. Runs that ended early are in it."
    )
    return Table("cost", "Time and tokens", ["arm", "rate", "seconds", "tokens", "tokens a second"], rows, note)


def _rounded(one: ConfidenceInterval) -> TableCell:
    if math.isnan(one.mean):
        return TableCell(formatting.UNKNOWN)
    digits = 0 if one.mean >= 100 else 1
    ends = "" if math.isnan(one.low) else f" [{one.low:,.{digits}f}, {one.high:,.{digits}f}]"
    return TableCell(f"{one.mean:,.{digits}f}{ends}", one._asdict(), one.mean)


def fitted(trial: Trial) -> entropy_law_fit.EntropyLawFit | None:
    """R = −a·e^H + b over a run's steps, reward the fresh accuracy, or the reward where there is none."""
    steps, spent = trial.run.curve("policy/entropy")
    name = measures.FRESH if trial.has(measures.FRESH) else "reward/mean"
    got = dict(zip(*trial.run.curve(name)))
    pairs = [(h, got[step]) for step, h in zip(steps, spent, strict=True) if step in got]
    return entropy_law_fit.fit_entropy_law([h for h, _ in pairs], [r for _, r in pairs]) if pairs else None


def laws(found: Analysis) -> Table:
    """The law's fit of each run, over a cell's runs."""
    rows = []
    for cell in shown_cells(found):
        fits = [one for trial in cell.trials if (one := fitted(trial))]
        values = [[getattr(one, name) for one in fits] for name in ("a", "b", "rmse", "r2", "ceiling")]
        means = [measures.mean(one, found.how.confidence) for one in values]
        above = any(one.ceiling > 1 for one in fits)
        remark = "above the possible 1 in some runs: the law does not reach there" if above else ""
        count = TableCell(f"{len(fits)} of {len(cell.trials)}", [len(fits), len(cell.trials)], float(len(fits)))
        rows.append(
            [
                *head(cell),
                count,
                *(interval(one) for one in means[:2]),
                *(number(one.mean) for one in means[2:4]),
                interval(means[4]),
                text(remark if fits else "entropy did not vary"),
            ]
        )
    headings = ["arm", "rate", "fitted", "a", "b", "rmse", "r²", "ceiling −a + b", "remark"]
    note = (
        "R = −a·e^H + b of each run (arXiv:2505.22617), H the entropy of a token, R the fresh "
        "accuracy of the same steps. The ceiling is an extrapolation to H = 0."
    )
    return Table("law", "Reward against entropy", headings, rows, note)


def aggregates(found: Analysis) -> Table:
    """Interquartile mean, probability of improvement, optimality gap; greyed out where there are too few runs."""
    how = found.how
    base = list(found.chosen[found.baseline.label].values(how).values())
    rows = []
    for arm in found.block.arms:
        mine = list(found.chosen[arm.label].values(how).values())
        short = robust_aggregates.reason_for_too_few_runs(len(mine), "interquartile mean")
        middle = (
            greyed(short)
            if short
            else interval(robust_aggregates.interquartile_mean_interval(mine, how.confidence), how.share)
        )
        gap = (
            reading(robust_aggregates.optimality_gap(mine), True)
            if how.share and mine and not how.less
            else TableCell(formatting.UNKNOWN)
        )
        rows.append(
            [
                text(arm.label),
                whole(len(mine)),
                middle,
                _improves(arm.label == found.baseline.label, mine, base, how),
                gap,
            ]
        )
    headings = ["arm", "runs", "interquartile mean", f"better than {found.baseline.label} (%)", "short of 100%"]
    note = (
        "At the arms' own rates, corrected as in the table of arms. Better: the probability that a run of the arm "
        "beats one of the baseline, ties half (arXiv:2108.13264)."
    )
    return Table("aggregates", "Aggregates over runs", headings, rows, note)


def _improves(same: bool, mine: Sequence[float], base: Sequence[float], how: measures.Reading) -> TableCell:
    if same:
        return TableCell("(baseline)")
    mine, base = (base, mine) if how.less else (mine, base)
    short = robust_aggregates.reason_for_too_few_runs(min(len(mine), len(base)), "probability of improvement")
    return (
        greyed(short)
        if short
        else interval(robust_aggregates.probability_of_improvement(mine, base, how.confidence), True)
    )


def problems(found: Analysis) -> Table:
    """The comparisons over problems."""
    rows = []
    for label, seen in found.problems.items():
        name = text(f"{label} {formatting.MINUS} {found.baseline.label}")
        if isinstance(seen, str):
            rows.append([name, greyed(seen), *[TableCell(formatting.UNKNOWN)] * 4])
            continue
        ends = [_points(one) for one in (seen.over_problems, seen.bootstrap)]
        rows.append([name, *ends, number(seen.over_problems.p, 2), whole(seen.problems), whole(seen.samples)])
    note = (
        "For these very policies: what other problems of this kind would say. Each problem's mean "
        "over its samples and the arm's finished runs, at the "
        "arms' own rates, paired by problem; the t interval over problems, and a bootstrap that "
        "draws problems, then their samples. Points."
    )
    headings = ["comparison", "difference, t over problems", "clustered bootstrap", "p", "problems", "samples a run"]
    return Table("problems", "By problem", headings, rows, note)


def _points(one: Difference) -> TableCell:
    ends = (
        ""
        if math.isnan(one.low)
        else f" [{formatting.signed(100 * one.low, 1)}, {formatting.signed(100 * one.high, 1)}]"
    )
    return TableCell(formatting.signed(100 * one.difference, 1) + ends, one._asdict(), one.difference)

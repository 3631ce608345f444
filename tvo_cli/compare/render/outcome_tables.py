"""The tables about what the arms reached: arms, rates, seeds, comparisons, robustness."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from tvo_cli.compare import formatting
from tvo_cli.compare.analysis import measures
from tvo_cli.compare.analysis.arms import Cell
from tvo_cli.compare.analysis.block_analysis import Analysis
from tvo_cli.compare.analysis.contrast import Contrast
from tvo_cli.compare.analysis.measures import Reading
from tvo_cli.compare.analysis.rates import WAYS
from tvo_cli.compare.render.table_cells import Table, TableCell, interval, number, rate, reading, text, whole
from tvo_cli.compare.runs.run_record import FAILED, FINISHED, UNFINISHED, Trial
from tvo_cli.stats.confidence_interval import ConfidenceInterval

MARKS = "† collapsed, × failed (counted by the rule), … not finished, · left out"


def states(trials: Sequence[Trial]) -> list[TableCell]:
    """Runs, finished, collapsed, failed, unfinished."""
    counts = Counter(trial.state for trial in trials)
    fallen = sum(trial.collapsed_at is not None for trial in trials)
    watched = any(trial.watched for trial in trials)
    collapsed = whole(fallen) if watched else TableCell(formatting.UNKNOWN)
    return [whole(len(trials)), whole(counts[FINISHED]), collapsed, whole(counts[FAILED]), whole(counts[UNFINISHED])]


STATES = ("runs", "finished", "collapsed", "failed", "unfinished")


def arms(found: Analysis) -> Table:
    """One row an arm, at its own rate."""
    how, percent = found.how, " (%)" if found.how.share else ""
    rows = []
    for arm in found.block.arms:
        chosen = found.chosen[arm.label]
        mine = chosen.cell
        best = measures.mean([measures.best(trial, how) for trial in mine.trials], how.confidence)
        row = [text(arm.label), rate(chosen.best), *states(arm.trials)]
        final = measures.mean(list(chosen.values(how).values()), how.confidence)
        row += [interval(final, how.share), interval(best, how.share)]
        if found.swept:
            row.append(reading(chosen.optimistic, how.share))
        rows.append([*row, _seeds(mine, how)])
    headings = ["arm", "rate", *STATES, f"final{percent}", f"best{percent}"]
    headings += ["chosen on the same seeds"] if found.swept else []
    return Table(
        "arms",
        "The arms" + (", each at its own best rate" if found.swept else ""),
        [*headings, "each seed"],
        rows,
        _arms_note(found),
    )


def _arms_note(found: Analysis) -> str:
    how = found.how
    ways = {chosen.way for chosen in found.chosen.values() if chosen.way}
    told = [f"Mean and {how.confidence:.0%} t interval over seeds of {how.metric}. {how.rule()}"]
    told.append(f"Best: {_best(found)}: the highest of noisy readings, so optimistic. Seeds: {MARKS}.")
    for way in sorted(ways):
        told.append(
            f"Rates chosen by --choose-rate {way}: {WAYS[way]}. The counts are of the runs at all rates. "
            "«chosen on the same seeds» is the mean at the rate in the table, selected and scored on the same "
            "seeds: optimistic. «each seed» shows the values as they were measured."
        )
    return " ".join(told)


def _best(found: Analysis) -> str:
    evaluations = max((len(trial.run.evaluations) for cell in found.cells for trial in cell.trials), default=0)
    if found.how.evaluated and evaluations > 1:
        return "the best evaluation (a run with one: fresh accuracy over 5 steps)"
    return f"the best mean of {measures.WINDOW} steps of {measures.FRESH if found.how.evaluated else found.how.metric}"


def _final(cell: Cell, how: Reading) -> ConfidenceInterval:
    return measures.mean(list(measures.values(cell, how).values()), how.confidence)


def _seeds(cell: Cell, how: Reading) -> TableCell:
    """Every run's final value, marked by what became of it."""
    shown = [_mark(trial, measures.final(trial, how), how) for trial in cell.trials]
    listed = [
        {"seed": trial.seed, "final": measures.final(trial, how), "state": trial.state, "collapsed": trial.collapsed_at}
        for trial in cell.trials
    ]
    return TableCell(" ".join(shown), listed)


def _mark(trial: Trial, value: float | None, how: Reading) -> str:
    if value is None:
        return "…" if trial.state == UNFINISHED else "·"
    marks = ("†" if trial.collapsed_at is not None else "") + ("×" if trial.state == FAILED else "")
    return formatting.reading(value, how.share) + marks


def rate_grid(found: Analysis) -> Table:
    """One row an arm and rate: nothing is pooled over rates."""
    how, percent = found.how, " (%)" if found.how.share else ""
    rows = []
    for cell in found.cells:
        best = measures.mean([measures.best(trial, how) for trial in cell.trials], how.confidence)
        final = [interval(_final(cell, how), how.share), interval(best, how.share)]
        rows.append([text(cell.arm), rate(cell.rate), *states(cell.trials), *final, _seeds(cell, how)])
    headings = ["arm", "rate", *STATES, f"final{percent}", f"best{percent}", "each seed"]
    return Table("rates", "Every arm at every learning rate", headings, rows, f"Seeds: {MARKS}.")


def comparisons(found: Analysis) -> Table:
    """Every comparison with its numbers: at the own rates, then at each shared one."""
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
    rows = [_comparison(one, "own") for one in found.own] + [_comparison(one, "") for one in found.at_rates]
    unit = "points" if found.how.share else found.how.metric
    note = (
        f"In {unit}. Paired by seed where the arms share two seeds or more, else Welch's t. Holm: "
        "over the comparisons at own rates, "
        "and by itself over all those at shared rates. Seeds needed: for 80% power, if the "
        "difference seen were the true one."
    )
    return Table("comparisons", "The comparisons in numbers", headings, [_scaled(row, found.how) for row in rows], note)


def _comparison(one: Contrast, at: str) -> list[TableCell]:
    said = one.over_seeds
    names = f"{one.a.arm} {formatting.MINUS} {one.b.arm}"
    return [
        text(names),
        text(at) if at else rate(one.a.rate),
        *(number(value) for value in (said.difference, said.low, said.high)),
        whole(said.n),
        text(said.method),
        number(said.p, 2),
        number(one.adjusted, 2),
        text("yes" if one.separated else "no"),
        whole(one.needed),
    ]


def _scaled(row: Sequence[TableCell], how: Reading) -> list[TableCell]:
    """Differences of shares are shown in points; their values stay shares."""
    if not how.share:
        return list(row)
    shown = [
        datum._replace(text=formatting.signed(100 * datum.value, 1)) if datum.value is not None else datum
        for datum in row[2:5]
    ]
    return [*row[:2], *shown, *row[5:]]


def robustness(found: Analysis) -> Table:
    """Area and worst case over the shared rates."""
    how, rows = found.how, []
    for arm in found.block.arms:
        robust = found.robust[arm.label]
        if robust is None:
            continue
        worst = [reading(robust.worst_mean, how.share), rate(robust.worst_rate), reading(robust.worst_run, how.share)]
        rows.append([text(arm.label), interval(robust.area, how.share), *worst])
    shared = ", ".join(formatting.rate(one) for one in found.shared) or "none"
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


def collapse(found: Analysis) -> Table:
    """How often and when, at every rate."""
    rows = [_collapse(arm.label, None, arm.trials, found.how) for arm in found.block.arms if len(arm.cells) > 1]
    rows += [_collapse(cell.arm, cell.rate, cell.trials, found.how) for cell in found.cells]
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


def _collapse(label: str, at: float | None, trials: Sequence[Trial], how: Reading) -> list[TableCell]:
    from tvo_cli.stats.survival import median_survival_time, restricted_mean_survival

    several = len({trial.rate for trial in trials}) > 1
    seen = measures.collapses(trials, how.confidence)
    head = [text(label), TableCell("all", "all", 0.0) if several else rate(at)]
    if seen.survival is None:
        return [*head, *[TableCell(formatting.UNKNOWN)] * 2, text("not watched"), *[TableCell(formatting.UNKNOWN)] * 2]
    middle = median_survival_time(seen.survival)
    until = restricted_mean_survival(seen.survival, seen.horizon, how.confidence) if seen.horizon else measures.NONE
    never = TableCell("not reached", None, math.inf)
    steps = [never if middle is None else whole(middle), interval(until) if seen.collapsed else never]
    return [*head, whole(seen.collapsed), whole(seen.watched), interval(seen.rate, True), *steps]


def runs(found: Analysis) -> Table:
    """Every run, whatever became of it."""
    headings = ["run", "arm", "rate", "seed", "state", "steps", "final", "best", "collapsed at", "remark"]
    rows = [row for arm in found.block.arms for row in _runs(arm.label, arm.trials, found.how)]
    return Table("runs", "Every run", headings, rows)


def _runs(label: str, trials: Sequence[Trial], how: Reading) -> Iterator[list[TableCell]]:
    for trial in trials:
        values = reading(measures.final(trial, how), how.share), reading(measures.best(trial, how), how.share)
        head = [
            text(trial.name),
            text(label),
            rate(trial.rate),
            text(trial.seed),
            text(trial.state),
            whole(trial.last_step),
        ]
        yield [*head, *values, whole(trial.collapsed_at), text(trial.why)]

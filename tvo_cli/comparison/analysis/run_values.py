"""Values read off a run (final, last, best, rollouts, seconds), and final values of an arm by seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean

from tvo_cli.comparison.analysis.arms_and_blocks import ArmAtRate
from tvo_cli.comparison.analysis.metric_choice import WINDOW, MetricChoice
from tvo_cli.runs.trial import FAILED, FINISHED, UNFINISHED, Trial
from tvo_cli.stats.confidence_interval import ConfidenceInterval, mean_interval
from tvo_cli.stats.sample_efficiency import ThresholdCrossing, first_threshold_crossing
from tvo_cli.stats.t_tests import has_no_spread

PASS, FRESH = "eval/pass@1", "accuracy/fresh"
NO_INTERVAL = ConfidenceInterval(math.nan, math.nan, math.nan, 0)


def final_value(trial: Trial, how: MetricChoice) -> float | None:
    """Return the value a run ends with; a failed one's by the rule; None for one that has none yet or is left out.

    A finished run whose end is not finite counts as failed: the value before it is of another policy.
    """
    if trial.state == FINISHED:
        found = None if ends_without_finite_value(trial, how) else last_value(trial, how)
        return found if found is not None else _value_of_failed_run(trial, how)
    return _value_of_failed_run(trial, how) if trial.state == FAILED else None


def ends_without_finite_value(trial: Trial, how: MetricChoice) -> bool:
    """Return whether a run's last evaluation, or a step metric over all of the last steps, is not finite."""
    last = trial.curve(how.metric)[1][-1 if how.evaluated else -WINDOW :]
    return bool(last) and not finite_run_values(last)


def _value_of_failed_run(trial: Trial, how: MetricChoice) -> float | None:
    if how.failed_as == "out":
        return None
    return last_value(trial, how) if how.failed_as == "last" else float(how.failed_as)


def last_value(trial: Trial, how: MetricChoice) -> float | None:
    """Return a run's last value: of its last evaluation, or a step metric's mean over the last steps."""
    values = finite_run_values(trial.curve(how.metric)[1])
    if not values and how.evaluated:
        found = (trial.run.summary.get("evaluation") or {}) if trial.run.summary else {}
        value = found.get(how.metric) if hasattr(found, "get") else None
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
    return fmean(values[-1:] if how.evaluated else values[-WINDOW:]) if values else None


def best_value(trial: Trial, how: MetricChoice) -> float | None:
    """Return a run's best value, of the evaluations or of the running mean over WINDOW steps.

    Of pass@1 that was evaluated once only: the best running mean of the fresh accuracy.
    """
    values = finite_run_values(trial.curve(how.metric)[1])
    if how.metric == PASS and len(values) < 2:
        values = running_means(trial.curve(FRESH)[1])
    elif not how.evaluated:
        values = running_means(values)
    known = finite_run_values(values)
    return how.best_of(known) if known else None


def best_values_of_counted_runs(trials: Sequence[Trial], how: MetricChoice) -> list[float]:
    """Return the best values of the runs that have a final value, so that both means are of the same runs.

    Of a run without any reading, which failed before its first: what it counts as.
    """
    ends = [(trial, end) for trial in trials if (end := final_value(trial, how)) is not None]
    return [end if (best := best_value(trial, how)) is None else best for trial, end in ends]


def finite_run_values(values: Sequence[float]) -> list[float]:
    """Return the finite ones of a run's values."""
    return [value for value in values if math.isfinite(value)]


def running_means(values: Sequence[float]) -> list[float]:
    """Return the mean of each value and the up to WINDOW − 1 finite ones before it; nan before WINDOW of them."""
    out = []
    for end in range(1, len(values) + 1):
        seen = finite_run_values(values[max(0, end - WINDOW) : end])
        out.append(fmean(seen) if seen and end >= min(WINDOW, len(values)) else math.nan)
    return out


# ---------------------------------------------------------------- of a cell


def final_values_by_seed(cell: ArmAtRate, how: MetricChoice) -> dict[str, float]:
    """Return the final values of an arm at a rate by seed, of the runs that have one."""
    found = {seed: final_value(trial, how) for seed, trial in cell.by_seed.items()}
    return {seed: value for seed, value in found.items() if value is not None}


def mean_of_known_values(found: Sequence[float | None], confidence: float) -> ConfidenceInterval:
    """Return the mean and t interval of the values that are known; NO_INTERVAL of nothing."""
    known = finite_run_values([value for value in found if value is not None])
    if len(known) > 1 and has_no_spread(known):  # a coarse score, which says nothing of other seeds
        return ConfidenceInterval(known[0], math.nan, math.nan, len(known))
    return mean_interval(known, confidence) if known else NO_INTERVAL


def rollouts_by_step(trial: Trial) -> list[float]:
    """Return the responses sampled by each step of a run; steps where that was not recorded."""
    return [float(row.get("rollouts", row["step"])) for row in trial.run.steps]


def rollouts_until_accuracy(trial: Trial, threshold: float) -> ThresholdCrossing:
    """Return the rollouts until the running mean of the fresh accuracy first reaches a threshold."""
    rows = [row for row in trial.run.steps if FRESH in row]
    xs = [float(row.get("rollouts", row["step"])) for row in rows]
    return first_threshold_crossing(xs, running_means([float(row[FRESH]) for row in rows]), threshold)


def runs_that_ended(trials: Sequence[Trial]) -> list[Trial]:
    """Return the finished and the failed runs: what one that goes on has cost so far is no run's cost."""
    return [trial for trial in trials if trial.state != UNFINISHED]


def share_left_at_end(trial: Trial, name: str) -> float | None:
    """Return the share of a run's first value that is left at its end."""
    known = finite_run_values(trial.run.curve(name)[1])
    return fmean(known[-WINDOW:]) / known[0] if len(known) > 1 and known[0] > 0 else None


def seconds_of_run(trial: Trial) -> float | None:
    """Return the seconds of all steps of a run; the summary's where steps have no time."""
    times = finite_run_values(trial.run.curve("time/step")[1])
    if times and len(times) == trial.last_step:
        return sum(times)
    told = trial.run.summary.get("seconds")
    return float(told) if isinstance(told, int | float) else None


def tokens_of_run(trial: Trial) -> float | None:
    """Return the response tokens that a run sampled."""
    return trial.run.last("tokens")


def tokens_per_second_of_run(trial: Trial) -> float | None:
    """Return the response tokens a second, over all steps of a run."""
    took, made = seconds_of_run(trial), tokens_of_run(trial)
    return made / took if took and made else None


def metric_mean_over_steps(name: str) -> Callable[[Trial], float | None]:
    """Return a function of a run: the mean of a metric over its steps."""

    def read(trial: Trial) -> float | None:
        known = finite_run_values(trial.run.curve(name)[1])
        return fmean(known) if known else None

    return read

"""The choice of the metric that is compared: is it a share, is less better, what does a failed run count for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tvo_cli.comparison.analysis.metric_direction import AUTO, LESS, MORE, MetricDirection, direction_of_metric
from tvo_cli.comparison.formatting import count_of, join_names
from tvo_cli.errors import UserError
from tvo_cli.runs.trial import FINISHED, Trial
from tvo_cli.tracking.metric_names import BY_NAME

DEFAULT_METRICS = ("eval/pass@1", "accuracy/fresh", "reward/mean")
WINDOW = 5  # steps that a reading of noisy training metrics is averaged over


@dataclass(frozen=True, slots=True)
class MetricChoice:
    """The metric that is compared, and what a failed run counts for."""

    metric: str
    failed: str = "auto"  # a number, `last`, `out`; auto: 0 for a share, last for the rest
    confidence: float = 0.95
    wanted_direction: str = AUTO  # LESS, MORE; AUTO: as it is known

    @property
    def share(self) -> bool:
        """Whether the metric is a share."""
        return is_share_metric(self.metric)

    @property
    def less(self) -> bool:
        """Whether less is better."""
        return self.direction.less

    @property
    def direction(self) -> MetricDirection:
        """Which direction is better, and why it is taken to be."""
        return direction_of_metric(self.metric, self.wanted_direction)

    @property
    def failed_as(self) -> str:
        """A number as text, `last` or `out`."""
        worst = "1" if self.less else "0"
        return (worst if self.share else "last") if self.failed == "auto" else self.failed

    def best_of(self, values: Iterable[float]) -> float:
        """The best of some values."""
        return min(values) if self.less else max(values)

    def worst_of(self, values: Iterable[float]) -> float:
        """The worst of some values."""
        return max(values) if self.less else min(values)

    @property
    def evaluated(self) -> bool:
        """Whether the metric is an evaluation's, not averaged over steps."""
        return "eval/" in self.metric

    def rule(self) -> str:
        """Which direction is better, and how a failed and an unfinished run enter."""
        kinds = {"last": "with its last reading", "out": "in no mean (--failed out)"}
        failed = kinds.get(self.failed_as, f"as {self.failed_as} in every mean")
        how = "the last evaluation" if self.evaluated else f"the mean of the last {WINDOW} steps"
        better = f"{(LESS if self.less else MORE).capitalize()} is better."
        unfinished = "an unfinished one has no final value yet and is listed"
        return f"{better} Final: {how}. A failed run counts {failed}; {unfinished}."


def check_failed_rule(failed: str) -> str:
    """Return `--failed`; UserError for what it cannot be."""
    if failed not in ("auto", "last", "out"):
        try:
            if not math.isfinite(float(failed)):
                raise ValueError
        except ValueError as error:
            raise UserError("--failed", failed, "not a choice.", "auto, last, out, or a number.") from error
    return failed


def choose_metric(trials: Sequence[Trial], wanted: str | None) -> tuple[str, str]:
    """Choose the metric to compare, the first of DEFAULT_METRICS that every finished run has; and a warning."""
    finished = [trial for trial in trials if trial.state == FINISHED] or list(trials)
    if wanted is not None:
        _check_metric_is_known(trials, wanted)
        return wanted, _warning_of_chosen_metric(finished, wanted)
    counts = {name: sum(trial.has(name) for trial in finished) for name in DEFAULT_METRICS}
    for name, found in counts.items():
        if found == len(finished):
            return name, "" if name == DEFAULT_METRICS[
                0
            ] else f"Compared by {name}: {_runs_without_chosen_metric(finished, DEFAULT_METRICS[0])}."
    name = max(counts, key=lambda one: counts[one])
    if not counts[name] and finished[0].state == FINISHED:
        raise UserError(
            "--metric", "", f"no run has {', '.join(DEFAULT_METRICS)}.", "Name one that they have: --metric NAME."
        )
    return name, _warning_of_chosen_metric(finished, name)


def _check_metric_is_known(trials: Sequence[Trial], wanted: str) -> None:
    """Refuse a metric that no run has."""
    if any(trial.has(wanted) for trial in trials):
        return
    from tvo_cli.config import nearest_names

    known = {name for trial in trials for row in trial.run.steps[-1:] for name in row}
    known |= {name for trial in trials for row in trial.run.evaluations[-1:] for name in row}
    raise UserError("--metric", wanted, "no run has such a metric.", nearest_names(wanted, known - {"step"}))


def _warning_of_chosen_metric(finished: Sequence[Trial], metric: str) -> str:
    """Return a warning of finished runs that have no finite value of the metric; of unfinished ones a note tells."""
    if all(trial.has(metric) or trial.state != FINISHED for trial in finished):
        return ""
    return f"{_runs_without_chosen_metric(finished, metric)}: they count as failed in it."


def _runs_without_chosen_metric(finished: Sequence[Trial], metric: str) -> str:
    names = [trial.name for trial in finished if not trial.has(metric)]
    noun = "finished run" if all(trial.state == FINISHED for trial in finished) else "run"
    return f"{count_of(len(names), noun)} without a finite {metric} ({join_names(names, 4)})"


def is_share_metric(metric: str) -> bool:
    """Return whether a metric is a share, to be shown in percent and compared in points."""
    name = metric.rpartition("eval/")[2] if "eval/" in metric else metric
    known = BY_NAME.get(metric) or BY_NAME.get(f"eval/{name}")
    return (known.unit == "share") if known else name.startswith(("pass@", "maj@", "accuracy"))

"""The collapse rate of runs: how many collapsed (Wilson's interval), and when (Kaplan and Meier's survival)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tvo_cli.comparison.analysis.run_values import NO_INTERVAL
from tvo_cli.runs.trial import Trial
from tvo_cli.stats.confidence_interval import ConfidenceInterval, wilson_interval
from tvo_cli.stats.survival import SurvivalCurve, kaplan_meier


class CollapseRate(NamedTuple):
    """How many of the watched runs collapsed, and when."""

    collapsed: int
    watched: int
    rate: ConfidenceInterval
    survival: SurvivalCurve | None  # over steps
    horizon: int  # the last step that any run was watched to


def collapse_rate_of(trials: Sequence[Trial], confidence: float) -> CollapseRate:
    """Return the collapse rate of runs: each is watched until it collapses or ends; unwatched ones are no evidence."""
    watched = [trial for trial in trials if trial.watched]
    if not watched:
        return CollapseRate(0, 0, NO_INTERVAL, None, 0)
    events = [trial.collapsed_at is not None for trial in watched]
    times = [trial.last_step if trial.collapsed_at is None else trial.collapsed_at for trial in watched]
    found = sum(events)
    horizon = max(trial.last_step for trial in watched)
    return CollapseRate(
        found,
        len(watched),
        wilson_interval(found, len(watched), confidence),
        kaplan_meier(times, events, confidence),
        horizon,
    )

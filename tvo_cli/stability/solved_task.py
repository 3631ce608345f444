"""The excuse of low entropy: the task is solved within the error of its accuracy, or the run holds what it learnt.

Accuracy is bought with entropy, R = −a·e^H + b (arXiv:2505.22617): that it is spent is the price of what was learnt.
It is a collapse where nothing is left to explore with and the task is not solved: accuracy stands far below, or falls.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tvo_cli.stability.rule_interface import CollapseRule, finite_metric
from tvo_cli.stability.step_accuracy import HELDOUT, WINDOW, accuracy_of_step, heldout_standard_error, mean_with_error

SOLVED = 0.9  # accuracy from which a task counts as solved: the same as in conf/stability
DOUBT = 2.0  # standard errors by which an accuracy may lie below a line and still be taken for it
LEAST = 0.75  # how low a solved one may lie all the same: few noisy batches have an error that reaches any line
KEPT = 0.8  # of the best: below, a run has fallen; less is the luck of having been the best of many windows
SHORTEST = 4  # steps of a mean that is compared with the one before it: below, three differences are no noise


@dataclass(kw_only=True)
class AccuracyFollower(CollapseRule):
    """A rule that weighs what it reads by the accuracy: it follows that of the batches and the held-out one."""

    recent: list[float] = field(default_factory=list, init=False)  # accuracies of the last two windows
    best: float = field(default=0.0, init=False)  # the highest mean of a window
    heldout: float | None = field(default=None, init=False)
    best_heldout: float = field(default=0.0, init=False)
    heldout_fell: bool = field(default=False, init=False)

    def follow(self, metrics: Mapping[str, float]) -> None:
        """Take the accuracies of a step; a reward between 0 and 1 is taken for one."""
        if HELDOUT in metrics:
            self.follow_evaluation(metrics)
        value, recent = accuracy_of_step(metrics), self.recent
        if value is None:
            return
        recent.append(value)
        if len(recent) > 2 * WINDOW:
            del recent[0]
        if len(recent) >= WINDOW:
            mean = math.fsum(recent[-WINDOW:]) / WINDOW
            if mean > self.best:
                self.best = mean

    def follow_evaluation(self, metrics: Mapping[str, float]) -> None:
        """Take the held-out accuracy, if there is one: it fell where it is surely below the best."""
        value = finite_metric(metrics, HELDOUT)
        if value is not None:
            self.heldout, self.best_heldout = value, max(self.best_heldout, value)
            self.heldout_fell = value + DOUBT * heldout_standard_error(metrics) < self.best_heldout

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore `state_dict`; checkpoints of 0.1 have no accuracies, which start anew."""
        unknown = {"recent": [], "best": 0.0, "heldout": None, "best_heldout": 0.0, "heldout_fell": False}
        super().load_state_dict({**unknown, **state})


@dataclass(kw_only=True)
class ExcusedRule(AccuracyFollower):
    """A rule that is excused by the accuracy: where the task is solved, held, or still rises."""

    solved: float
    held: float = 2.0  # accuracy from which a run that holds its best has not collapsed; above 1: no excuse
    responses: int | None = None  # N, a step; None: not known, and differences alone tell the error

    def is_excused(self) -> bool:
        """Whether the task is solved within its error; with `held`, whether the run keeps what it has learnt."""
        if not self.recent:
            return self.solved <= 1.0 and is_solved((), self.responses, self.heldout, self.solved)
        now = mean_with_error(self.recent, self.responses)
        if self.solved <= 1.0 and is_solved_level(now, self.heldout, self.solved):
            return True
        return self.held <= 1.0 and not self.heldout_fell and (self._holds_its_best(now) or self._rises())

    def _holds_its_best(self, now: tuple[float, float]) -> bool:
        """Whether the last window's mean is surely neither below `held` nor below KEPT times the best one."""
        level, error = now
        return len(self.recent) >= WINDOW and level + DOUBT * error >= max(self.held, KEPT * self.best)

    def _rises(self) -> bool:
        """Whether the last window's mean is surely above the mean of as many steps before."""
        count = len(self.recent) // 2
        if count < SHORTEST:
            return False
        before = statistics.fmean(self.recent[-2 * count : -count])
        after, error = mean_with_error(self.recent, self.responses, count)
        return after - before > DOUBT * math.sqrt(2.0) * error


def is_solved(accuracies: Sequence[float], responses: int | None, heldout: float | None, solved: float) -> bool:
    """Whether the last steps' accuracy, within its error, or the latest held-out one is that of a solved task."""
    if not accuracies:
        return heldout is not None and heldout >= solved
    return is_solved_level(mean_with_error(accuracies[-2 * WINDOW :], responses), heldout, solved)


def is_solved_level(now: tuple[float, float], heldout: float | None, solved: float) -> bool:
    """Whether a mean accuracy with its error, or the latest held-out one, is that of a solved task."""
    level, error = now
    return level >= LEAST and ((heldout is not None and heldout >= solved) or level + DOUBT * error >= solved)

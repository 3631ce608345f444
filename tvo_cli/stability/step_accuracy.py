"""The accuracy of a step as rules read it, in training and held out, with its standard error; else the reward."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence

from tvo_cli.stability.rule_interface import finite_metric

ACCURACY, REWARD, HELDOUT = "accuracy/fresh", "reward/mean", "eval/pass@1"
WINDOW = 8  # steps of a mean: its error is a third of a batch's
NORMAL_95 = 1.96
USUAL_ERROR = 0.03  # of a held-out accuracy without an interval: 256 problems at a half
LEAST_ERROR = 0.01  # of one without an interval: near 0 and 1 the answers to its problems are what is not known
ABSOLUTE_DIFFERENCE = math.sqrt(math.pi) / 2.0  # σ over E|x − y| of two independent normal values


def accuracy_or_reward_name(metrics: Mapping[str, float]) -> str:
    """Return the name of a step's accuracy; where it has no such column, that of its mean reward."""
    return ACCURACY if ACCURACY in metrics else REWARD


def accuracy_or_reward(metrics: Mapping[str, float]) -> float | None:
    """Return the accuracy of a step; where it has no such column, the mean reward."""
    return finite_metric(metrics, accuracy_or_reward_name(metrics))


def accuracy_of_step(metrics: Mapping[str, float]) -> float | None:
    """Return the share of a step's responses that is solved; no column says it: a mean reward between 0 and 1."""
    if ACCURACY in metrics:
        return finite_metric(metrics, ACCURACY)
    reward = finite_metric(metrics, REWARD)
    return reward if reward is not None and 0.0 <= reward <= 1.0 else None


def mean_with_error(shares: Sequence[float], responses: int | None, window: int = WINDOW) -> tuple[float, float]:
    """Return the mean share solved of the last n ≤ `window` shares and its standard error σ/√n.

    σ of one share comes from the successive differences of all of them (von Neumann, 1941), for the answers to one
    problem are not independent: with the entropy they become one answer. It is at least that of N answers.
    """
    last = shares[-window:]
    level = math.fsum(last) / len(last)
    differences = math.fsum(map(abs, map(operator.sub, shares[1:], shares)))
    seen = ABSOLUTE_DIFFERENCE * differences / (len(shares) - 1) if len(shares) > 1 else 0.0
    return level, max(seen, share_standard_error(level, responses)) / math.sqrt(len(last))


def share_standard_error(share: float, responses: int | None) -> float:
    """The binomial standard error √(p(1 − p)/N) of a share solved of N responses; 0 where N is not known."""
    inside = min(max(share, 0.0), 1.0)
    return math.sqrt(inside * (1.0 - inside) / responses) if responses else 0.0


def heldout_standard_error(metrics: Mapping[str, float]) -> float:
    """Return the standard error of a held-out accuracy, from its interval where there is one.

    Without one that of 256 answers, √(p(1 − p)/256), and at least LEAST_ERROR.
    """
    low, high = finite_metric(metrics, f"{HELDOUT}_low"), finite_metric(metrics, f"{HELDOUT}_high")
    if low is not None and high is not None:
        return max((high - low) / (2.0 * NORMAL_95), 1e-3)
    inside = min(max(metrics.get(HELDOUT, 0.5), 0.0), 1.0)
    return max(2.0 * USUAL_ERROR * math.sqrt(inside * (1.0 - inside)), LEAST_ERROR)

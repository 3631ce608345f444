"""Epochs of a run: how often its problems have been seen, at one step or over a whole log."""

from __future__ import annotations

from collections.abc import Mapping

from tvo_cli.stability.rule_interface import finite_metric
from tvo_cli.stability.whole_log import WholeLog

EPOCH = "data/epoch"
REPEATED = 2.0  # passes over the data from which its problems count as used up: each has been learnt from before


def passes_over_data(metrics: Mapping[str, float], limit: int | None, prompts: int | None) -> float:
    """Return the passes over the training problems so far: logged, or prompts drawn over problems; 0: not known."""
    logged = finite_metric(metrics, EPOCH)
    if logged is not None:
        return logged
    return metrics["step"] * prompts / limit if limit and prompts else 0.0


def most_passes(log: WholeLog, limit: int | None, prompts: int | None) -> float:
    """Return a number of passes over the data that no step of a finished log is beyond."""
    drawn = log.rows[-1]["step"] * prompts / limit if limit and prompts and log.rows else 0.0
    return max([drawn, *log.column(EPOCH)])

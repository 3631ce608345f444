"""Checks of the optional readings of a run (stability.readings) against what they need."""

from __future__ import annotations

from typing import Any

from tvo_cli.errors import UserError

OF_WHOLE_WEIGHTS = ("layer_entropy", "spectral_entropy", "valley", "lion")


def check_readings(config: Any) -> None:
    """Refuse readings that would stay empty or that sharded weights do not allow.

    Raises:
        UserError: support without an evaluation of the start; Lion's without Lion; whole weights that are elsewhere.
    """
    chosen = config.stability.get("readings") or {}
    if chosen.get("lion") and not str(config.optimizer.make.get("_target_", "")).endswith(".Lion"):
        raise UserError("stability.readings.lion", True, "reads nothing but Lion.", "Take optimizer=lion.")
    if chosen.get("support") and not _start_is_evaluated(config.evaluation):
        remedy = "Set evaluation.at_start=true, with held-out problems (evaluation.problems) or test sets."
        raise UserError("stability.readings.support", True, "needs an evaluation before the first step.", remedy)
    wanted = next((name for name in OF_WHOLE_WEIGHTS if chosen.get(name)), None)
    if wanted and str(config.parallel.strategy) == "shard":
        problem = "reads whole weights, which parallel=shard keeps on other ranks."
        raise UserError(f"stability.readings.{wanted}", True, problem, "Take parallel=replicate, or leave it off.")


def _start_is_evaluated(evaluation: Any) -> bool:
    """Return whether the policy is evaluated before the first step, which a reading compares with."""
    return bool(evaluation.at_start and (evaluation.problems or evaluation.test_sets))

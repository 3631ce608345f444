"""The metrics of branches and votes: what responses took over, how a branch was tempered, what a majority says."""

from __future__ import annotations

from tvo_cli.rollout import SamplingRule, TemperedBranch
from tvo_cli.stability import readings
from tvo_cli.training.batch import RolloutBatch


def branch_metrics(batch: RolloutBatch) -> dict[str, float]:
    """How much is taken over, where responses branch; how a majority votes, where one is what is learnt from."""
    rollout, experience = batch.drawn.chosen.rollout, batch.experience
    found: dict[str, float] = {}
    if rollout.prefix is not None:
        found["sampling/branched"] = float((rollout.prefix > 0).float().mean())
        found["sampling/taken_over"] = 1.0 - float(rollout.sampled.sum()) / float(rollout.mask.sum())
    if experience.answer is not None and experience.correct is not None:
        found |= readings.vote_readings(experience.answer, experience.correct, experience.group)
    return found


def tempered_branch_metrics(rule: SamplingRule, batch: RolloutBatch) -> dict[str, float]:
    """T of the batch's branch at another temperature, and the H that it followed from; before H is the batch's own."""
    if not isinstance(rule, TemperedBranch) or batch.drawn.branch is None:
        return {}
    return {"sampling/branch_temperature": rule.temperature, "sampling/branch_entropy": rule.entropy}

"""What verl's functions, and those of its forks, are called with: stand-ins for its configuration and its batch."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from torch import Tensor

from benchmarks.authors.random_batch import Outcome, RandomBatch
from benchmarks.authors.released_code import Released
from benchmarks.authors.stand_ins import Settings, rewards_at_the_end

FAR = 1e6  # a bound that no ratio reaches
OF_THE_LENGTH = 1e-8  # what verl adds to the length that a response's loss is divided by


def actor(low: float, high: float, *, length: float | None = None, **more: Any) -> Settings:
    """Settings of a policy loss: its clip, and the one length by which its sum is divided."""
    scale = {} if length is None else {"loss_scale_factor": length}
    return Settings(clip_ratio=low, clip_ratio_low=low, clip_ratio_high=high, global_batch_info=scale, **more)


NEEDS: dict[str, Any] = {"ActorConfig": Settings, "AlgoConfig": str, "defaultdict": defaultdict}


def core_algorithms(repository: str, commit: str, *names: str, folder: str = "verl") -> Released:
    """Functions of a fork's core_algos.py, with the fork's own masked means and reductions."""
    of_masks = ("masked_sum", "masked_mean", "masked_var", "masked_whiten", "clip_by_value")
    masks = Released(repository, commit, f"{folder}/utils/torch_functional.py", of_masks, seen_as="verl_F")
    path = f"{folder}/trainer/ppo/core_algos.py"
    return Released(repository, commit, path, ("agg_loss", *names), (masks,), needs=NEEDS)


def on_tokens(batch: RandomBatch) -> Tensor:
    """The response mask as the numbers 1 and 0."""
    return batch.mask.to(batch.logp.dtype)


def graded(batch: RandomBatch) -> dict[str, Any]:
    """What verl's advantages of groups are estimated from."""
    return {
        "token_level_rewards": rewards_at_the_end(batch.experience),
        "response_mask": on_tokens(batch),
        "index": batch.experience.group.tolist(),
    }


def scored(batch: RandomBatch, advantages: Tensor) -> dict[str, Tensor]:
    """What verl's policy losses are computed from."""
    return {
        "old_log_prob": batch.experience.old_logp,
        "log_prob": batch.logp,
        "advantages": advantages,
        "response_mask": on_tokens(batch),
    }


def share_of_a_response(batch: RandomBatch) -> Tensor:
    """Every response alike, with what verl adds to its length."""
    mask = on_tokens(batch)
    return mask / (mask.sum(1, keepdim=True) + OF_THE_LENGTH) / len(mask)


def by_gradient(batch: RandomBatch, ours: Outcome) -> Outcome:
    """Our gradient with the loss of which it is the gradient in a loss that is linear in log π, as the released is."""
    return Outcome((ours.gradient * batch.logp.detach()).sum(), ours.gradient)

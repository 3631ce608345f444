"""What code that was written inside verl refers to, and batches under verl's names."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from benchmarks.authors.random_batch import RandomBatch
from benchmarks.authors.stand_ins import VERL, rewards_at_the_end
from tvo_cli.maths import masked


def masked_mean(values: Tensor, mask: Tensor, **_: Any) -> Tensor:
    """The mean over a mask; verl adds 1e-8 to the number of tokens."""
    return masked.mean(values, mask > 0)


def masked_sum(values: Tensor, mask: Tensor, **_: Any) -> Tensor:
    """The sum over a mask."""
    return masked.total(values, mask > 0)


FUNCTIONS = SimpleNamespace(masked_mean=masked_mean, masked_sum=masked_sum)
NEEDS: dict[str, Any] = {**VERL, "verl_F": FUNCTIONS, "VF": FUNCTIONS}


def batch_of_verl(batch: RandomBatch, **more: torch.Tensor) -> SimpleNamespace:
    """The batch under the names that verl has for it."""
    experience = batch.experience
    tensors = {
        "token_level_rewards": rewards_at_the_end(experience),
        "response_mask": experience.mask.double(),
        "old_log_probs": experience.old_logp,
        "rollout_log_probs": experience.old_logp,
        "entropys": experience.old_entropy,
    }
    return SimpleNamespace(batch=tensors | more, non_tensor_batch={"uid": experience.group.tolist()})


def group_advantage(estimate: Any, batch: RandomBatch, **more: Any) -> Tensor:
    """Â of one of verl's estimators for outcome rewards, [B, T]."""
    theirs = batch_of_verl(batch)
    rewards, mask = theirs.batch["token_level_rewards"], theirs.batch["response_mask"]
    advantage: Tensor = estimate(rewards, mask, theirs.non_tensor_batch["uid"], **more)[0]
    return advantage


def policy_loss(compute: Any, batch: RandomBatch, advantage: Tensor, **settings: Any) -> Tensor:
    """The loss of one of verl's policy losses, which return it first."""
    old, mask = batch.experience.old_logp, batch.mask.to(advantage.dtype)
    tensors = {"old_log_prob": old, "log_prob": batch.logp, "advantages": advantage, "response_mask": mask}
    loss: Tensor = compute(**tensors, **settings)[0]
    return loss


def drifted(batch: RandomBatch, times: float) -> RandomBatch:
    """The same batch with log-ratios so many times as large, for clips that the drawn ones hardly meet."""
    logp = batch.logp.detach()
    old = (logp + times * (batch.experience.old_logp - logp)).clamp(max=0.0)
    return replace(batch, experience=replace(batch.experience, old_logp=old))


def with_entropy_of_logits(batch: RandomBatch) -> RandomBatch:
    """The same batch sampled by the policy of its logits, as code that reads log-probabilities of words needs it."""
    log_pi = batch.logits.log_softmax(-1)
    entropy = -(log_pi.exp() * log_pi).sum(-1)
    return replace(batch, experience=replace(batch.experience, old_entropy=entropy))

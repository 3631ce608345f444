"""Clip_B and Clip_V beside their authors' fork of Trinity-RFT."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace

import torch

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import RandomBatch, loss_of
from benchmarks.authors.released_code import Released
from tvo_cli.maths import masked

REPOSITORY, COMMIT = "hiyuchang/Trinity-RFT", "eedef4b5a1f9ce205b12c6fdc64b9467fce98013"
NEEDS = {"AdvantageFn": object, "defaultdict": defaultdict}
WIDTH = 1.0  # standard deviations: at the released 2.5 hardly a token of so small a batch is left out


def batch_of_verl(batch: RandomBatch, **more: torch.Tensor) -> SimpleNamespace:
    """The batch under the names that verl has for it."""
    experience = batch.experience
    last = torch.zeros_like(experience.old_logp)
    last[torch.arange(len(last)), experience.mask.sum(1) - 1] = experience.rewards
    tensors = {
        "token_level_rewards": last,
        "response_mask": experience.mask.to(last.dtype),
        "old_log_probs": experience.old_logp,
        "rollout_log_probs": experience.old_logp,
        "entropys": experience.old_entropy,
    }
    return SimpleNamespace(batch=tensors | more, non_tensor_batch={"uid": experience.group.tolist()})


def policy_loss(batch: RandomBatch, theirs: SimpleNamespace) -> torch.Tensor:
    """PPO's clipped loss at 0.2 over the tokens that the authors' code kept, as the mean of those tokens."""
    ratio, advantage = (batch.logp - batch.experience.old_logp).exp(), theirs.batch["advantages"]
    loss = torch.maximum(-advantage * ratio, -advantage * ratio.clamp(0.8, 1.2))
    return masked.mean(loss, theirs.batch["response_mask"] > 0)


def clip_b(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both choose tokens and normalise rewards; the loss is the mean over what is kept."""
    theirs, _ = code.ClipBAdvantageFn(mu=WIDTH)(batch_of_verl(batch))
    ours = loss_of("clip_b", batch, f"algorithm.advantage_shaping.clip_b.width={WIDTH}")
    return batch.outcome(policy_loss(batch, theirs)), ours


CLIP_B = Released(REPOSITORY, COMMIT, "trinity/algorithm/advantage_fn/clipb_advantage.py", ("ClipBAdvantageFn",))
COMPARISONS = [Comparison("clip_b", CLIP_B, clip_b, f"the whole recipe at a width of {WIDTH:g}", NEEDS)]

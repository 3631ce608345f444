"""Clip-Cov and KL-Cov beside their authors' fork of verl, and beside verl's port."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import torch

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import RandomBatch, loss_of
from benchmarks.authors.recipes import verl
from benchmarks.authors.verl_arguments import actor, core_algorithms, graded, scored

REPOSITORY, COMMIT = "PRIME-RL/Entropy-Mechanism-of-RL", "88505792fd97a11993445e93195145e3c1181955"
SHARE = 0.125  # of the tokens: at the released shares of 2e-4 and 2e-3 it is one token of so small a batch
CLIP = 0.2  # at the released 1 hardly a token is clipped
LOW = 0.5  # least covariance of Clip-Cov: more candidates than are drawn, in most batches
CLIP_COV = (
    f"algorithm.objective.weight.share={SHARE}",
    f"algorithm.objective.weight.low={LOW}",
    f"algorithm.objective.surrogate.low={CLIP}",
    f"algorithm.objective.surrogate.high={CLIP}",
)
KL_COV = (f"algorithm.objective.penalties.kl_cov.term.share={SHARE}",)


def rewarded(batch: RandomBatch) -> RandomBatch:
    """The batch with rewards of any size: without an advantage all covariances are equal, and any token is chosen."""
    return replace(batch, experience=replace(batch.experience, rewards=batch.advantage[:, 0]))


def clip_cov(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both leave the same drawn tokens out of the clipped loss: the random numbers begin at the same seed."""
    batch = rewarded(batch)
    advantage, _ = code.compute_grpo_outcome_advantage(**graded(batch))
    settings = {"cliprange": CLIP, "clip_ratio": SHARE, "clip_cov_lb": LOW}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = code.compute_policy_loss_clip_cov(**scored(batch, advantage), **settings)[0]
    return batch.outcome(theirs), loss_of("clip_cov", batch, *CLIP_COV)


def kl_cov(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both add |log π − log π_old| on the same tokens of largest covariance."""
    batch = rewarded(batch)
    advantage, _ = code.compute_grpo_outcome_advantage(**graded(batch))
    theirs = code.compute_policy_loss_kl_cov(**scored(batch, advantage), k_percent=100 * SHARE)[0]
    return batch.outcome(theirs), loss_of("kl_cov", batch, *KL_COV)


def clip_cov_of_verl(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """The same in verl's port."""
    batch = rewarded(batch)
    advantage, _ = code.compute_grpo_outcome_advantage(**graded(batch))
    chosen = SimpleNamespace(clip_cov_ratio=SHARE, clip_cov_lb=LOW, clip_cov_ub=5.0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = code.compute_policy_loss_clip_cov(
            **scored(batch, advantage), config=actor(CLIP, CLIP, policy_loss=chosen)
        )[0]
    return batch.outcome(theirs), loss_of("clip_cov", batch, *CLIP_COV)


def kl_cov_of_verl(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """The same in verl's port."""
    batch = rewarded(batch)
    advantage, _ = code.compute_grpo_outcome_advantage(**graded(batch))
    settings = actor(CLIP, CLIP, policy_loss=SimpleNamespace(kl_cov_ratio=SHARE, ppo_kl_coef=1.0))
    theirs = code.compute_policy_loss_kl_cov(**scored(batch, advantage), config=settings)[0]
    return batch.outcome(theirs), loss_of("kl_cov", batch, *KL_COV)


OF_CLIP_COV = f"advantage and policy loss at a share of {SHARE:g}, covariances above {LOW:g} and a clip of {CLIP:g}"
OF_KL_COV = f"advantage and policy loss at a share of {SHARE:g}"
STATISTICS = (
    "theirs takes the statistics of each micro-batch: here the batch is one; of tokens with equal covariances, as in a "
    "batch without advantage, another may be chosen: here rewards are any numbers"
)
COMPARISONS = [
    Comparison(
        f"{name}_cov",
        core_algorithms(repository, commit, "compute_grpo_outcome_advantage", f"compute_policy_loss_{name}_cov"),
        compare,
        OF_CLIP_COV if name == "clip" else OF_KL_COV,
        differs=STATISTICS,
    )
    for repository, commit, name, compare in (
        (REPOSITORY, COMMIT, "clip", clip_cov),
        (REPOSITORY, COMMIT, "kl", kl_cov),
        (verl.REPOSITORY, verl.COMMIT, "clip", clip_cov_of_verl),
        (verl.REPOSITORY, verl.COMMIT, "kl", kl_cov_of_verl),
    )
]

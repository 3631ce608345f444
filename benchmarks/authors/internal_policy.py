"""BuPO beside its authors' fork of verl."""

from __future__ import annotations

from types import SimpleNamespace

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import RandomBatch, loss_of
from benchmarks.authors.released_code import Released
from benchmarks.authors.stand_ins import VERL, Settings, rewards_at_the_end

REPOSITORY, COMMIT = "Trae1ounG/BuPO", "d3a85c698912d612c1cdb3edaa9011f450d23344"
DUAL = 1.5  # no token of these batches goes as far as the released 10


def bupo(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both normalise rewards in groups, clip twice and take the mean over tokens, by log π of whichever block."""
    experience = batch.experience
    mask = experience.mask.double()
    clips = Settings(clip_ratio=0.2, clip_ratio_low=0.2, clip_ratio_high=0.2, clip_ratio_c=DUAL)
    advantage, _ = code.compute_grpo_outcome_advantage(rewards_at_the_end(experience), mask, experience.group.tolist())
    theirs = code.compute_policy_loss_vanilla(experience.old_logp, batch.logp, advantage, mask, config=clips)[0]
    return batch.outcome(theirs), loss_of("bupo", batch, f"algorithm.objective.surrogate.dual={DUAL}")


NAMES = ("compute_grpo_outcome_advantage", "compute_policy_loss_vanilla", "agg_loss")
COMPARISONS = [
    Comparison(
        "bupo",
        Released(REPOSITORY, COMMIT, "verl/trainer/ppo/core_algos.py", NAMES),
        bupo,
        f"estimator and loss at a dual clip of {DUAL:g}, by log π of the block; how log π comes of a block is not run",
        {**VERL, "AlgoConfig": type(None)},
        "the released log ratio is cut at 20 either way",
    )
]

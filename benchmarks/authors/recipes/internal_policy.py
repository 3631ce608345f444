"""BuPO beside its authors' fork of verl."""

from __future__ import annotations

from types import SimpleNamespace

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import RandomBatch, loss_of
from benchmarks.authors.verl_arguments import actor, core_algorithms, graded, scored

REPOSITORY, COMMIT = "Trae1ounG/BuPO", "d3a85c698912d612c1cdb3edaa9011f450d23344"
DUAL = 1.5  # no token of these batches goes as far as the released 10


def bupo(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both normalise rewards in groups, clip twice and take the mean over tokens, by log π of whichever block."""
    advantage, _ = code.compute_grpo_outcome_advantage(**graded(batch))
    clips = actor(0.2, 0.2, clip_ratio_c=DUAL)
    theirs = code.compute_policy_loss_vanilla(**scored(batch, advantage), config=clips)[0]
    return batch.outcome(theirs), loss_of("bupo", batch, f"algorithm.objective.surrogate.dual={DUAL}")


NAMES = ("compute_grpo_outcome_advantage", "compute_policy_loss_vanilla")
COMPARISONS = [
    Comparison(
        "bupo",
        core_algorithms(REPOSITORY, COMMIT, *NAMES),
        bupo,
        f"estimator and loss at a dual clip of {DUAL:g}, by log π of the block; how log π comes of a block is not run",
    )
]

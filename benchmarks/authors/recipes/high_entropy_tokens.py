"""80/20 beside its authors' fork of verl."""

from __future__ import annotations

from types import SimpleNamespace

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import RandomBatch, loss_of
from benchmarks.authors.verl_arguments import actor, core_algorithms, graded, on_tokens, scored

REPOSITORY, COMMIT = "Shenzhi-Wang/Beyond-the-80-20-Rule-RLVR", "6f5dda6f70dbee207bea28705e5f96ce12eb98df"
NAMES = ("get_global_entropy_top_mask", "compute_grpo_outcome_advantage", "compute_policy_loss_vanilla")
DUAL = 1.3  # the bound of the dual clip: at the released 10 it never acts on so small a drift


def forking_tokens(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both learn from the fifth of the tokens with the highest entropy, and take the mean of those."""
    chosen = code.get_global_entropy_top_mask(batch.entropy.detach(), on_tokens(batch), top_ratio=0.2)
    advantages, _ = code.compute_grpo_outcome_advantage(**graded(batch))
    settings = actor(0.2, 0.28, clip_ratio_c=DUAL)
    theirs = code.compute_policy_loss_vanilla(**scored(batch, advantages), config=settings, entropy_top_mask=chosen)
    ours = loss_of("forking_tokens", batch, f"algorithm.objective.surrogate.dual={DUAL}")
    return batch.outcome(theirs[0]), ours


COMPARISONS = [
    Comparison(
        "forking_tokens",
        core_algorithms(REPOSITORY, COMMIT, *NAMES),
        forking_tokens,
        f"advantage and policy loss at a dual clip of {DUAL:g}",
        differs="theirs chooses in each micro-batch: here the batch is one",
    )
]

"""DPPO beside its authors' fork of verl."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import LENGTH, RandomBatch, loss_of
from benchmarks.authors.recipes.verl import CAP, LINEAR, SPENT, dppo_settings
from benchmarks.authors.verl_arguments import actor, by_gradient, core_algorithms, graded, scored

REPOSITORY, COMMIT = "sail-sg/Stable-RL", "c6af1d119c0fe30d16dd9a837d35fdf695acd226"
NAMES = (
    "compute_grpo_outcome_advantage",
    "_compute_token_mask_for_policy_loss",
    "compute_policy_loss_with_mask",
)


def dppo(code: SimpleNamespace, batch: RandomBatch, *, divergence: str) -> Pair:
    """The centred reward, the capped ratio, and which tokens' divergence from the sampler is spent."""
    limit, recipe, rows = SPENT[divergence], f"dppo_{divergence}", len(batch.mask)
    advantages, _ = code.compute_grpo_outcome_advantage(**graded(batch), norm_adv_by_std_in_grpo=False)
    nothing = batch.logp.detach()  # divergences over the likeliest words and entropies, which these modes only log
    theirs, _ = code.compute_policy_loss_with_mask(
        **scored(batch, advantages),
        loss_agg_mode="seq-mean-token-sum-norm",
        config=actor(limit, limit, length=LENGTH * rows, clip_ratio_c=CAP),
        rollout_log_prob=batch.experience.old_logp,
        topk_kl=nothing,
        entropy=nothing,
        loss_mode=f"dppo_binary_{divergence}",
    )
    return batch.outcome(theirs), by_gradient(batch, loss_of(recipe, batch, *dppo_settings(limit)))


COMPARISONS = [
    Comparison(
        f"dppo_{divergence}",
        core_algorithms(REPOSITORY, COMMIT, *NAMES),
        partial(dppo, divergence=divergence),
        f"advantage and loss, at limits of {SPENT[divergence]:g} and a cap of {CAP:g}",
        differs=f"the value of the loss: {LINEAR} is compared; its agg_loss sums over responses, verl's and ours take "
        "their mean",
    )
    for divergence in ("kl", "tv")
]

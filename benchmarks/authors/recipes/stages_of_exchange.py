"""Perplexity and position shaping beside their authors' fork of verl."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from torch import Tensor

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import RandomBatch, loss_of
from benchmarks.authors.released_code import Released
from benchmarks.authors.stand_ins import VERL, rewards_at_the_end
from benchmarks.authors.verl_arguments import masks_of

REPOSITORY, COMMIT = "RUCAIBox/Slow_Thinking_with_LLMs", "834e1b79a6ebb307cca0c63f0ed4b10f91f1170c"
FOLDER = "entropy2performance/verl/verl"
FILE = f"{FOLDER}/trainer/ppo/core_algos.py"
PLAIN_CLIP = "algorithm.objective.surrogate.dual=inf"
ALPHA = 0.2  # at the released 0.01 the factor stays far from its bounds


def loss(code: SimpleNamespace, batch: RandomBatch, **shaping: Any) -> Tensor:
    """The authors' estimator and loss, with one of their shapings."""
    experience = batch.experience
    mask = experience.mask.double()
    advantage, _ = code.compute_grpo_outcome_advantage(rewards_at_the_end(experience), mask, experience.group.tolist())
    found: Tensor = code.compute_policy_loss(
        None,
        experience.old_logp,
        batch.logp,
        advantage,
        mask,
        cliprange_low=0.2,
        cliprange_high=0.28,
        use_token_level_loss=True,
        **shaping,
    )[0]
    return found


def perplexity_shaping(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both score perplexities within groups, multiply the advantage and take the clipped mean over tokens."""
    experience = batch.experience
    columns = {"old_log_probs": experience.old_logp, "attention_mask": experience.mask.double()}
    scored = SimpleNamespace(batch=columns, non_tensor_batch={"uid": experience.group.tolist()})
    weight = code.calculate_ppl(scored).batch["ppl_weight"]
    theirs = loss(code, batch, use_ppl=True, use_ppl_high=True, ppl_weight=weight, alpha=-ALPHA)
    chosen = f"algorithm.advantage_shaping.perplexity.alpha={ALPHA}"
    return batch.outcome(theirs), loss_of("perplexity_shaping", batch, chosen, PLAIN_CLIP)


def position_shaping(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both add to the advantage of late tokens and take the clipped mean over tokens."""
    theirs = loss(code, batch, add_loaction_bonus=True, whether_use_location=True, alpha=0.1)
    return batch.outcome(theirs), loss_of("position_shaping", batch, PLAIN_CLIP)


LOSS = ("compute_grpo_outcome_advantage", "compute_policy_loss")
MASKS = (masks_of(REPOSITORY, COMMIT, FOLDER),)
NO_DUAL = "the released loss has no dual clip: ours at 10 is put out for the comparison"
COMPARISONS = [
    Comparison(
        "perplexity_shaping",
        Released(REPOSITORY, COMMIT, FILE, ("calculate_ppl", *LOSS), MASKS),
        perplexity_shaping,
        f"the whole recipe at α = {ALPHA:g}, where the factor meets its bounds; theirs by way of its ablation at −α",
        VERL,
        f"the released path for low perplexity computes this factor and does not use it; {NO_DUAL}",
    ),
    Comparison(
        "position_shaping",
        Released(REPOSITORY, COMMIT, FILE, LOSS, MASKS),
        position_shaping,
        "the whole recipe",
        VERL,
        f"released between steps 200 and 300 only; {NO_DUAL}",
    ),
]

"""Recipes that are written after verl beside verl's advantages, policy losses and reductions."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import inf
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import LENGTH, Outcome, RandomBatch, advantage_of, algorithm_of, loss_of
from benchmarks.authors.released_code import Released
from benchmarks.authors.stand_ins import rewards_at_the_end
from benchmarks.authors.verl_arguments import (
    FAR,
    actor,
    by_gradient,
    core_algorithms,
    graded,
    on_tokens,
    scored,
    share_with_length_of_verl,
)
from tvo_cli.maths import masked
from tvo_cli.maths.value_loss import clipped_value_loss

REPOSITORY, COMMIT = "verl-project/verl", "1dda039b9c6311889a9c9a26040677e1254814f9"
KL = 0.04  # coefficient of the KL loss: at the recipes' 0 it would not be compared
CAP = 1.3  # of the ratio in DPPO: at the recipes' 20 it never acts on so small a drift
SPENT = {"tv": 0.03, "kl": 0.005}  # divergence up to which a token learns: at the recipes' own few are beyond it
DISCOUNT, TRACE = 0.9, 0.8
NO_DUAL = "verl's dual clip, 3 by default, is out of reach: the recipe has none"
OF_LENGTH = "verl adds 1e-8 to the length that it divides by, and so does ours here"


def vanilla(code: SimpleNamespace, batch: RandomBatch, advantages: Tensor, reduction: str, **more: Any) -> Tensor:
    """verl's clipped policy loss at 0.2 without a dual clip."""
    settings = actor(0.2, 0.2, clip_ratio_c=FAR, **more)
    found: Tensor = code.compute_policy_loss_vanilla(
        **scored(batch, advantages), loss_agg_mode=reduction, config=settings
    )[0]
    return found


def kl_loss(code: SimpleNamespace, batch: RandomBatch, kind: str, reduction: str) -> Tensor:
    """verl's KL loss to the reference."""
    found = code.kl_penalty_forward(batch.logp, batch.experience.ref_logp, kind)
    reduced: Tensor = code.agg_loss(found, on_tokens(batch), reduction)
    return KL * reduced


def grpo(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """The group's z-score, the clipped loss as a mean of responses' means, and k3 to the reference."""
    advantages, _ = code.compute_grpo_outcome_advantage(**graded(batch))
    mode = "seq-mean-token-mean"
    theirs = vanilla(code, batch, advantages, mode) + kl_loss(code, batch, "low_var_kl", mode)
    ours = loss_of("grpo", batch, _kl_coefficient(), share=share_with_length_of_verl("grpo", batch))
    return batch.outcome(theirs), ours


def _kl_coefficient() -> str:
    return f"algorithm.objective.penalties.kl.coef.value={KL}"


def dr_grpo(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """The centred reward, and the clipped loss summed over a response and divided by one length."""
    advantages, _ = code.compute_grpo_outcome_advantage(**graded(batch), norm_adv_by_std_in_grpo=False)
    theirs = vanilla(code, batch, advantages, "seq-mean-token-sum-norm")
    return batch.outcome(theirs), loss_of("dr_grpo", batch, f"algorithm.objective.reduce.length={LENGTH}")


def rloo(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """The leave-one-out advantage and the loss of a response as one action, of the policy that sampled."""
    on_policy = replace(batch, experience=replace(batch.experience, old_logp=batch.logp.detach()))
    advantages, _ = code.compute_rloo_outcome_advantage(**graded(on_policy))
    theirs = vanilla(code, on_policy, advantages, "seq-mean-token-sum")
    return batch.outcome(theirs), loss_of("rloo", on_policy)


def reinforce_plus(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Discounted returns whitened over tokens, and the clipped loss as a mean of tokens."""
    advantages, _ = code.compute_reinforce_plus_plus_outcome_advantage(
        rewards_at_the_end(batch.experience), on_tokens(batch), config=SimpleNamespace(gamma=DISCOUNT)
    )
    ours = loss_of("reinforce_plus", batch, f"algorithm.estimator.discount={DISCOUNT}")
    return batch.outcome(vanilla(code, batch, advantages, "token-mean")), ours


def reinforce_plus_baseline(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Centred rewards whitened over tokens, the clipped loss as a mean of tokens, and k2 to the reference."""
    advantages, _ = code.compute_reinforce_plus_plus_baseline_outcome_advantage(**graded(batch))
    theirs = vanilla(code, batch, advantages, "token-mean") + kl_loss(code, batch, "k2", "token-mean")
    return batch.outcome(theirs), loss_of("reinforce_plus_baseline", batch, _kl_coefficient())


def ppo(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """GAE with the clipped loss, and the critic's clipped loss; gradients by log π, then by the critic's values."""
    before, mask = batch.experience.old_entropy, on_tokens(batch)  # any numbers serve as the critic's values
    assert before is not None
    after = (before + batch.advantage).requires_grad_()
    rewards = rewards_at_the_end(batch.experience)
    advantages, returns = code.compute_gae_advantage_return(rewards, before, mask, DISCOUNT, TRACE)
    error, _ = code.compute_value_loss(after, returns, before, mask, cliprange_value=0.2)
    theirs = batch.outcome(vanilla(code, batch, advantages, "token-mean")), batch.outcome(error, after)
    settings = (f"algorithm.estimator.discount={DISCOUNT}", f"algorithm.estimator.trace={TRACE}")
    ours = advantage_of("ppo", replace(batch.experience, values=before), *settings)
    assert ours.returns is not None
    clip = algorithm_of("ppo", *settings).critic.clip
    own = masked.mean(clipped_value_loss(after, before, ours.returns, clip), batch.mask)
    return _both(*theirs), _both(loss_of("ppo", batch, advantage=ours), batch.outcome(own, after))


def _both(policy: Outcome, critic: Outcome) -> Outcome:
    return Outcome(policy.loss + critic.loss, torch.cat([policy.gradient, critic.gradient], 1))


def gspo(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """The group's z-score and the clipped ratio of a response."""
    advantages, _ = code.compute_grpo_outcome_advantage(**graded(batch))
    theirs = code.compute_policy_loss_gspo(**scored(batch, advantages), config=actor(3.0e-4, 4.0e-4))
    return batch.outcome(theirs[0]), loss_of("gspo", batch, share=share_with_length_of_verl("gspo", batch))


def cispo(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """The group's z-score and the clipped importance weight."""
    advantages, _ = code.compute_grpo_outcome_advantage(**graded(batch))
    theirs = code.compute_policy_loss_cispo(**scored(batch, advantages), config=actor(inf, 0.2))
    return batch.outcome(theirs[0]), by_gradient(batch, loss_of("cispo", batch))


def dppo(code: SimpleNamespace, batch: RandomBatch, *, divergence: str) -> Pair:
    """The centred reward, the capped ratio, and which tokens' divergence from the sampler is spent."""
    limit, recipe = SPENT[divergence], f"dppo_{divergence}"
    advantages, _ = code.compute_grpo_outcome_advantage(**graded(batch), norm_adv_by_std_in_grpo=False)
    theirs = getattr(code, f"compute_policy_loss_{recipe}")(
        **scored(batch, advantages),
        loss_agg_mode="seq-mean-token-sum-norm",
        config=actor(limit, limit, length=LENGTH, clip_ratio_c=CAP),
    )[0]
    return batch.outcome(theirs), by_gradient(batch, loss_of(recipe, batch, *dppo_settings(limit)))


def dppo_settings(limit: float) -> tuple[str, ...]:
    """Ours with the same limits, cap and length."""
    limits = (f"algorithm.objective.weight.{side}={limit}" for side in ("low", "high"))
    return *limits, f"algorithm.objective.surrogate.cap={CAP}", f"algorithm.objective.reduce.length={LENGTH}"


def released(*names: str) -> Released:
    """verl's clipped loss, reductions and these functions."""
    return core_algorithms(REPOSITORY, COMMIT, "compute_policy_loss_vanilla", *names)


GROUP, LINEAR = "compute_grpo_outcome_advantage", "theirs is linear in log π, ours is not: its gradient times log π"
COMPARISONS = [
    Comparison(
        "grpo",
        released(GROUP, "kl_penalty_forward"),
        grpo,
        f"advantage and loss, with the KL loss at {KL:g}",
        differs=f"{NO_DUAL}; {OF_LENGTH}",
    ),
    Comparison("dr_grpo", released(GROUP), dr_grpo, "advantage and loss", differs=NO_DUAL),
    Comparison(
        "rloo",
        released("compute_rloo_outcome_advantage"),
        rloo,
        "advantage and loss, on-policy",
        differs=f"off-policy the recipe takes TRL's ratio of a response, verl that of a token; {NO_DUAL}",
    ),
    Comparison(
        "reinforce_plus",
        released("compute_reinforce_plus_plus_outcome_advantage"),
        reinforce_plus,
        f"advantage and loss, at a discount of {DISCOUNT:g}",
        differs=NO_DUAL,
    ),
    Comparison(
        "reinforce_plus_baseline",
        released("compute_reinforce_plus_plus_baseline_outcome_advantage", "kl_penalty_forward"),
        reinforce_plus_baseline,
        f"advantage and loss, with the KL loss at {KL:g}",
        differs=NO_DUAL,
    ),
    Comparison(
        "ppo",
        released("compute_gae_advantage_return", "compute_value_loss"),
        ppo,
        f"advantage, loss and the critic's loss, at a discount of {DISCOUNT:g} and a trace of {TRACE:g}; the gradient "
        "by log π and by the critic's values",
        differs=NO_DUAL,
    ),
    Comparison("gspo", released(GROUP, "compute_policy_loss_gspo"), gspo, "advantage and loss", differs=OF_LENGTH),
    Comparison(
        "cispo",
        released(GROUP, "compute_policy_loss_cispo"),
        cispo,
        "advantage and loss",
        differs=f"the value of the loss: {LINEAR} is compared",
    ),
    *(
        Comparison(
            f"dppo_{divergence}",
            released(GROUP, f"compute_policy_loss_dppo_{divergence}"),
            partial(dppo, divergence=divergence),
            f"advantage and loss, at limits of {SPENT[divergence]:g} and a cap of {CAP:g}",
            differs=f"the value of the loss: {LINEAR} is compared",
        )
        for divergence in ("kl", "tv")
    ),
]

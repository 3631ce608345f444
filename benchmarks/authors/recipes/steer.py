"""STEER beside its authors' fork of verl."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace

import torch

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import Outcome, RandomBatch, advantage_of, loss_of
from benchmarks.authors.verl_arguments import core_algorithms, graded, scored

REPOSITORY, COMMIT = "zz-haooo/STEER", "b31df71652cd103ddc3512656a430c39ba15dd13"
NAMES = ("compute_grpo_outcome_advantage", "compute_token_weights", "compute_policy_loss_with_entropy")
DUAL = 1.3  # the bound of the dual clip: at the released 10 it never acts on so small a drift
FAINT = 1.0e-3
LINEAR = ("algorithm.objective.weight.mode=linear", "algorithm.objective.weight.high=1.2")


def weighted(code: SimpleNamespace, batch: RandomBatch, *, linear: bool = False, size: float = 1.0) -> Pair:
    """Both weigh the clipped loss of each token by how much its update would change the entropy."""
    advantages = size * code.compute_grpo_outcome_advantage(**graded(batch))[0]
    theirs = code.compute_policy_loss_with_entropy(
        **scored(batch, advantages),
        entropys=batch.experience.old_entropy,
        cliprange_low=0.2,
        cliprange_high=0.28,
        clip_ratio_c=DUAL,
        token_weight_min=0.8,
        token_weight_max=1.2 if linear else 1.0,
        linear=linear,
    )[0]
    own = advantage_of("steer", batch.experience)
    settings = (f"algorithm.objective.surrogate.dual={DUAL}", *(LINEAR if linear else ()))
    ours = loss_of("steer", batch, *settings, advantage=replace(own, values=size * own.values))
    return batch.outcome(theirs), ours


def steer(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """The sum of the losses with exponential weights, with linear ones, and with weights below the floor."""
    pairs = weighted(code, batch), weighted(code, batch, linear=True), weighted(code, batch, size=FAINT)
    theirs, ours = zip(*pairs, strict=True)
    return summed(theirs), summed(ours)


def summed(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome of the sum of the losses."""
    losses, gradients = zip(*outcomes, strict=True)
    return Outcome(torch.stack(losses).sum(), torch.stack(gradients).sum(0))


COMPARISONS = [
    Comparison(
        "steer",
        core_algorithms(REPOSITORY, COMMIT, *NAMES),
        steer,
        f"advantage and policy loss at a dual clip of {DUAL:g}: with exponential weights, plus with linear ones, plus "
        f"with exponential ones of {FAINT:g} of the advantage, where the floor acts",
        differs="theirs takes the statistics of each micro-batch, here the batch is one; its weights are of "
        "float32, here of float64; it holds π_old at 1e-8 or more, which no token of these batches is below",
    )
]

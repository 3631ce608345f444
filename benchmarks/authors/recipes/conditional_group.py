"""CANON and CANON-Dynamic beside their authors' fork of verl."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from torch import Tensor

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import LENGTH, RandomBatch, loss_of
from benchmarks.authors.verl_arguments import core_algorithms, graded, scored

REPOSITORY, COMMIT = "biuboomc/CANON", "7d6f814fb71f3d6a30e5312f68973c5207bd142c"
CANON = "compute_dr_entropy_per_token_group_outcome_advantage"
DYNAMIC = "compute_dr_entropy_per_token_annel_group_outcome_advantage"
BETWEEN, HANDICAP = 0.7, 0.9  # the recipe's 1 and 1 leave a part of the formula out
REDUCE = f"algorithm.objective.reduce.length={LENGTH}"


def loss(code: SimpleNamespace, estimator: str, batch: RandomBatch, **settings: Any) -> Tensor:
    """The authors' estimator by entropy and their clipped loss, divided by one length for all."""
    entropy = batch.experience.old_entropy
    advantage, _ = getattr(code, estimator)(**graded(batch), entropy=entropy, max_length=LENGTH, **settings)
    clips = {"cliprange_low": 0.2, "cliprange_high": 0.28, "loss_agg_mode": "seq-mean-token-sum"}
    found: Tensor = code.compute_policy_loss(**scored(batch, advantage), **clips)[0]
    return found


def canon(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both compare the halves of each group by entropy, and clip."""
    theirs = loss(code, CANON, batch, alpha=HANDICAP, _lambda=BETWEEN)
    chosen = [f"algorithm.estimator.{name}" for name in (f"between={BETWEEN}", f"handicap={HANDICAP}")]
    return batch.outcome(theirs), loss_of("canon", batch, REDUCE, *chosen)


def canon_dynamic(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both mix the comparison of halves and that within one by the batch's accuracy, and clip."""
    return batch.outcome(loss(code, DYNAMIC, batch)), loss_of("canon_dynamic", batch, REDUCE)


DUAL = "the released loss is dual-clipped at a ratio of 3, ours is not: of these batches no token goes so far"
COMPARISONS = [
    Comparison(
        "canon",
        core_algorithms(REPOSITORY, COMMIT, CANON, "compute_policy_loss"),
        canon,
        f"the whole recipe at between {BETWEEN:g} and a handicap of {HANDICAP:g}, by entropy",
        differs=DUAL,
    ),
    Comparison(
        "canon_dynamic",
        core_algorithms(REPOSITORY, COMMIT, DYNAMIC, "compute_policy_loss"),
        canon_dynamic,
        "the whole recipe",
        differs=DUAL,
    ),
]

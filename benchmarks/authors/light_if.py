"""Light-IF beside its authors' fork of verl."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

from torch import Tensor

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import RandomBatch, loss_of
from benchmarks.authors.released_code import Released
from benchmarks.authors.verl_stand_ins import NEEDS, drifted, group_advantage, policy_loss

REPOSITORY, COMMIT = "Qihoo360/Light-IF", "01e90034af6a289de5b7d32210b6f57e98413db0"
CODE = Released(
    REPOSITORY,
    COMMIT,
    "rl/verl/verl/trainer/ppo/core_algos.py",
    ("compute_grpo_outcome_advantage", "agg_loss", "compute_policy_loss", "compute_entropy_with_cov"),
)
DRIFT = 3.0  # of the drawn ratios hardly one is above 2, and none above 10
SLOPE = 0.3  # nats of entropy a nat of log π


def entropy_of(batch: RandomBatch) -> Tensor:
    """The entropy, [B, T], made to follow log π: so its gradient is in the gradient by log π."""
    return batch.entropy.detach() + SLOPE * (batch.logp - batch.logp.detach())


def loss(code: SimpleNamespace, drawn: RandomBatch, *, detached: bool) -> Pair:
    """The clipped loss less the weighted entropies, of both."""
    batch = drifted(drawn, DRIFT)
    advantage = group_advantage(code.compute_grpo_outcome_advantage, batch)
    policy = policy_loss(
        code.compute_policy_loss, batch, advantage, cliprange_low=1.0, cliprange_high=1.0, clip_ratio_c=10.0
    )
    logp = batch.logp.detach() if detached else batch.logp
    bonus, _ = code.compute_entropy_with_cov(logp, advantage, batch.mask.to(advantage.dtype), entropy_of(batch))
    return batch.outcome(policy - bonus), loss_of("light_if", batch, entropy=entropy_of(batch))


WHAT = f"the whole recipe, log-ratios times {DRIFT:g}"
COMPARISONS = [
    Comparison(
        "light_if",
        CODE,
        partial(loss, detached=True),
        f"{WHAT}; its weights read a log π without gradient",
        NEEDS,
        "the released training never reaches the term",
    ),
    Comparison(
        "light_if",
        CODE,
        partial(loss, detached=False),
        f"{WHAT}; its weights as released",
        NEEDS,
        "the released weights let a gradient through log π, which ours do not",
    ),
]

"""Light-IF beside its authors' fork of verl."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import RandomBatch, drifted, loss_of, with_entropy_after_logp
from benchmarks.authors.verl_arguments import core_algorithms, graded, on_tokens, scored

REPOSITORY, COMMIT = "Qihoo360/Light-IF", "01e90034af6a289de5b7d32210b6f57e98413db0"
NAMES = ("compute_grpo_outcome_advantage", "compute_policy_loss", "compute_entropy_with_cov")
CODE = core_algorithms(REPOSITORY, COMMIT, *NAMES, folder="rl/verl/verl")
DRIFT = 3.0  # of the drawn ratios hardly one is above 2, and none above 10
SLOPE = 0.3  # nats of entropy a nat of log π


def loss(code: SimpleNamespace, drawn: RandomBatch, *, detached: bool) -> Pair:
    """The clipped loss less the weighted entropies, of both."""
    batch = drifted(drawn, DRIFT)
    advantage, _ = code.compute_grpo_outcome_advantage(**graded(batch))
    clips = {"cliprange_low": 1.0, "cliprange_high": 1.0, "clip_ratio_c": 10.0}
    policy = code.compute_policy_loss(**scored(batch, advantage), **clips)[0]
    entropy = with_entropy_after_logp(batch, SLOPE).entropy
    logp = batch.logp.detach() if detached else batch.logp
    bonus, _ = code.compute_entropy_with_cov(logp, advantage, on_tokens(batch), entropy)
    return batch.outcome(policy - bonus), loss_of("light_if", with_entropy_after_logp(batch, SLOPE))


WHAT = f"the whole recipe, log-ratios times {DRIFT:g}"
COMPARISONS = [
    Comparison(
        "light_if",
        CODE,
        partial(loss, detached=True),
        f"{WHAT}; its weights read a log π without gradient",
        differs="the released training never reaches the term",
    ),
    Comparison(
        "light_if",
        CODE,
        partial(loss, detached=False),
        f"{WHAT}; its weights as released",
        differs="the released weights let a gradient through log π, which ours do not",
    ),
]

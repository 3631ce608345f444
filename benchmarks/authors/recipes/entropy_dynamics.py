"""Clip_B and Clip_V beside their authors' fork of Trinity-RFT."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from types import SimpleNamespace

import torch

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import RandomBatch, loss_of
from benchmarks.authors.released_code import Released
from benchmarks.authors.verl_arguments import FAR, graded
from tvo_cli.model.forward_pass.logprobs import covariance_of_prob_and_logprob

REPOSITORY, COMMIT = "hiyuchang/Trinity-RFT", "eedef4b5a1f9ce205b12c6fdc64b9467fce98013"


class LossFunction:
    """In place of Trinity's base of losses, which translates names of arguments."""

    def __init__(self, backend: str) -> None:
        self.backend = backend


NEEDS = {
    "AdvantageFn": object,
    "PolicyLossFn": LossFunction,
    "defaultdict": defaultdict,
    "F": torch.nn.functional,
}
WIDTH = 0.5  # standard deviations: at the released 2.5, and at 1, hardly a token of so small a batch is left out
WIDTH_OF_V, SHARE = 1.0, 0.05  # released: 8.5 and 1e-4 of the tokens


def named(batch: RandomBatch, **more: torch.Tensor) -> SimpleNamespace:
    """The batch under the names that Trinity has for it."""
    experience, columns = batch.experience, graded(batch)
    rows = columns.pop("index")
    policy = {"old_log_probs": experience.old_logp, "rollout_log_probs": experience.old_logp}
    tensors = columns | policy | {"entropys": experience.old_entropy} | more
    return SimpleNamespace(batch=tensors, non_tensor_batch={"uid": rows})


def policy_loss(code: SimpleNamespace, batch: RandomBatch, theirs: SimpleNamespace) -> torch.Tensor:
    """Trinity's clipped loss over the tokens that its code kept, without a dual clip."""
    loss = code.PPOPolicyLossFn(clip_range=0.2, clip_ratio_c=FAR)
    kept, advantage = theirs.batch["response_mask"], theirs.batch["advantages"]
    found: torch.Tensor = loss(batch.logp, batch.experience.old_logp, kept, advantage)[0]
    return found


def clip_b(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both choose tokens and normalise rewards; the loss is the mean over what is kept."""
    theirs, _ = code.ClipBAdvantageFn(mu=WIDTH)(named(batch))
    ours = loss_of("clip_b", batch, f"algorithm.advantage_shaping.clip_b.width={WIDTH}")
    return batch.outcome(policy_loss(code, batch, theirs)), ours


def clip_v(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both compare tokens with their vocabulary and leave out at most a share; the loss is the mean over the rest."""
    own = replace(batch, experience=replace(batch.experience, old_covariance=covariance_of(batch)))
    columns = named(own, necs=code.compute_N_from_logits(batch.logits))
    theirs, _ = code.ClipVAdvantageFn(mu=WIDTH_OF_V, max_frac=SHARE)(columns)
    settings = [f"algorithm.advantage_shaping.clip_v.{name}" for name in (f"width={WIDTH_OF_V}", f"share={SHARE}")]
    return batch.outcome(policy_loss(code, batch, theirs)), loss_of("clip_v", own, *settings)


def covariance_of(batch: RandomBatch) -> torch.Tensor:
    """Cov(π, log π) of each token's distribution, as our rollout measures it, [B, T]."""
    return covariance_of_prob_and_logprob(batch.logits.flatten(0, 1)).view_as(batch.mask)


FOLDER = "trinity/algorithm/advantage_fn"
REDUCTIONS = Released(REPOSITORY, COMMIT, "trinity/algorithm/utils.py", ("aggregate_loss", "masked_mean", "masked_sum"))
LOSS = Released(
    REPOSITORY, COMMIT, "trinity/algorithm/policy_loss_fn/ppo_policy_loss.py", ("PPOPolicyLossFn",), (REDUCTIONS,)
)
CLIP_B = Released(REPOSITORY, COMMIT, f"{FOLDER}/clipb_advantage.py", ("ClipBAdvantageFn",), (LOSS,))
N_OF_V = Released(REPOSITORY, COMMIT, "examples/entropy/clipv_dp_actor.py", ("compute_N_from_logits",))
CLIP_V = Released(REPOSITORY, COMMIT, f"{FOLDER}/clipv_advantage.py", ("ClipVAdvantageFn",), (N_OF_V, LOSS))
AT_V = f"the whole recipe at a width of {WIDTH_OF_V:g} and a share of {SHARE:g}, with what either makes of the logits"
NO_DUAL = "the released dual clip, 3 by default, is out of reach: the recipe has none"
COMPARISONS = [
    Comparison("clip_b", CLIP_B, clip_b, f"the whole recipe at a width of {WIDTH:g}", NEEDS, NO_DUAL),
    Comparison("clip_v", CLIP_V, clip_v, AT_V, NEEDS, NO_DUAL),
]

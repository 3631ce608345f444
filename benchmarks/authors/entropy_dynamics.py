"""Clip_B and Clip_V beside their authors' fork of Trinity-RFT."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from types import SimpleNamespace

import torch

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import RandomBatch, loss_of
from benchmarks.authors.released_code import Released
from benchmarks.authors.stand_ins import DOUBLE_TORCH
from benchmarks.authors.verl_stand_ins import batch_of_verl
from tvo_cli.maths import masked
from tvo_cli.model.forward_pass.logprobs import covariance_of_prob_and_logprob

REPOSITORY, COMMIT = "hiyuchang/Trinity-RFT", "eedef4b5a1f9ce205b12c6fdc64b9467fce98013"
NEEDS = {"AdvantageFn": object, "defaultdict": defaultdict}
NEEDS_OF_V = {**NEEDS, "torch": DOUBLE_TORCH, "F": torch.nn.functional}
WIDTH = 1.0  # standard deviations: at the released 2.5 hardly a token of so small a batch is left out
WIDTH_OF_V, SHARE = 1.0, 0.05  # released: 8.5 and 1e-4 of the tokens


def policy_loss(batch: RandomBatch, theirs: SimpleNamespace) -> torch.Tensor:
    """PPO's clipped loss at 0.2 over the tokens that the authors' code kept, as the mean of those tokens."""
    ratio, advantage = (batch.logp - batch.experience.old_logp).exp(), theirs.batch["advantages"]
    loss = torch.maximum(-advantage * ratio, -advantage * ratio.clamp(0.8, 1.2))
    return masked.mean(loss, theirs.batch["response_mask"] > 0)


def clip_b(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both choose tokens and normalise rewards; the loss is the mean over what is kept."""
    theirs, _ = code.ClipBAdvantageFn(mu=WIDTH)(batch_of_verl(batch))
    ours = loss_of("clip_b", batch, f"algorithm.advantage_shaping.clip_b.width={WIDTH}")
    return batch.outcome(policy_loss(batch, theirs)), ours


def clip_v(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both compare tokens with their vocabulary and leave out at most a share; the loss is the mean over the rest."""
    own = replace(batch, experience=replace(batch.experience, old_covariance=covariance_of(batch)))
    named = batch_of_verl(own, necs=code.compute_N_from_logits(batch.logits))
    theirs, _ = code.ClipVAdvantageFn(mu=WIDTH_OF_V, max_frac=SHARE)(named)
    settings = [f"algorithm.advantage_shaping.clip_v.{name}" for name in (f"width={WIDTH_OF_V}", f"share={SHARE}")]
    return batch.outcome(policy_loss(batch, theirs)), loss_of("clip_v", own, *settings)


def covariance_of(batch: RandomBatch) -> torch.Tensor:
    """Cov(π, log π) of each token's distribution, as our rollout measures it, [B, T]."""
    return covariance_of_prob_and_logprob(batch.logits.flatten(0, 1)).view_as(batch.mask)


FOLDER = "trinity/algorithm/advantage_fn"
CLIP_B = Released(REPOSITORY, COMMIT, f"{FOLDER}/clipb_advantage.py", ("ClipBAdvantageFn",))
N_OF_V = Released(REPOSITORY, COMMIT, "examples/entropy/clipv_dp_actor.py", ("compute_N_from_logits",))
CLIP_V = Released(REPOSITORY, COMMIT, f"{FOLDER}/clipv_advantage.py", ("ClipVAdvantageFn",), (N_OF_V,))
AT_V = f"the whole recipe at a width of {WIDTH_OF_V:g} and a share of {SHARE:g}, with what either makes of the logits"
COMPARISONS = [
    Comparison("clip_b", CLIP_B, clip_b, f"the whole recipe at a width of {WIDTH:g}", NEEDS),
    Comparison("clip_v", CLIP_V, clip_v, AT_V, NEEDS_OF_V),
]

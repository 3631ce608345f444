"""Dr.GRPO beside oat, which its authors train with."""

from __future__ import annotations

import gc
import logging
import time
from collections import defaultdict
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import LENGTH, RESPONSES, RandomBatch, loss_of
from benchmarks.authors.released_code import Released
from benchmarks.authors.stand_ins import ON_CPU

REPOSITORY, COMMIT = "sail-sg/oat", "c1a074c320ff5ca9fe9a4f669bf05208e2f310be"
REWARD = float(RESPONSES)  # of a right answer: in float32, which oat scores in, the group's mean is then exact


class Learner(SimpleNamespace):
    """Stand-in for oat's learner: a model's scores are the batch's, a step of the optimiser keeps the loss."""

    def __init__(self, code: SimpleNamespace, batch: RandomBatch, old_logp: Tensor) -> None:
        def scores(input_ids: Tensor, compute_entropy: bool, **_: Any) -> tuple[Tensor, Tensor]:
            of_policy = batch.logp if compute_entropy else old_logp.float()
            rows, width = input_ids[:, 0], input_ids.shape[1] - 1
            return of_policy[rows, :width], batch.entropy.detach()[rows, :width]

        self.args = SimpleNamespace(
            reward_scale=REWARD,
            train_batch_size_per_device=len(batch.mask),
            num_ppo_epochs=1,
            num_samples=RESPONSES,
            critic_type="drgrpo",
            cliprange=0.2,
            temperature=1.0,
            beta=0.0,
            reinforce_update=False,
            tis_c=None,
        )
        self.model = self.ref_model = self.optimizer = self.scheduler = None
        self.get_batch_logps = scores
        self.get_completion_mask = lambda attention, _: attention & (torch.arange(LENGTH + 1) > 0)
        self.masked_aggregator = partial(code.ops.masked_sum, constant_normalizer=LENGTH)
        self.compute_monte_carlo_advantages = partial(code.estimator.compute_monte_carlo_advantages, self)
        self.strategy = SimpleNamespace(
            backward=lambda loss, *_: setattr(self, "loss", loss),
            optimizer_step=lambda *_: None,
            grad_acc_step=1,
            get_gradient_norm=lambda _: 0.0,
        )


def dr_grpo(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """A whole step of oat's learner: centred rewards, the clipped loss summed and divided by one length."""
    old_logp = batch.experience.old_logp.float().to(batch.logp.dtype)  # oat keeps it in float32
    experience = replace(batch.experience, rewards=REWARD * batch.experience.rewards, old_logp=old_logp)
    rows, prompt = len(batch.mask), torch.ones(len(batch.mask), 1, dtype=torch.bool)
    learner = Learner(code, batch, old_logp)
    trajectory = {
        "input_ids": torch.arange(rows)[:, None].expand(-1, LENGTH + 1),  # the row's number: what `scores` looks up
        "attention_mask": torch.cat([prompt, batch.mask], 1),
        "rewards": batch.experience.rewards[:, None].tolist(),
        "prompt_ids_lens": [1] * rows,
        "action_logprobs": [row[here].tolist() for row, here in zip(old_logp, batch.mask, strict=True)],
        "loss_masks": [1] * rows,
    }
    code.learning_step(learner, trajectory)
    ours = loss_of("dr_grpo", replace(batch, experience=experience), f"algorithm.objective.reduce.length={LENGTH}")
    return batch.outcome(learner.loss), ours


OPS = Released(REPOSITORY, COMMIT, "oat/utils/ops.py", ("masked_sum", "masked_mean"))
ESTIMATOR = "ZeroMathLearner.compute_monte_carlo_advantages"
STEP = Released(
    REPOSITORY,
    COMMIT,
    "oat/algorithms/ppo.py",
    ("PPOLearner.learning_step",),
    (OPS, Released(REPOSITORY, COMMIT, "oat/experiment/run_math_rl.py", (ESTIMATOR,), seen_as="estimator")),
    needs={"defaultdict": defaultdict, "np": np, "logging": logging, "time": time, "gc": gc},
)
COMPARISONS = [
    Comparison(
        "dr_grpo",
        STEP,
        dr_grpo,
        f"the whole recipe beside a whole step of the learner, at a reward of {REWARD:g} and one minibatch",
        {"torch": ON_CPU},
        double=False,
    )
]

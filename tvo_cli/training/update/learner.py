"""The learner: a policy with its optimiser, its algorithm, and the critic where there is one."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from tvo_cli.maths import masked
from tvo_cli.maths.value_loss import clipped_value_loss
from tvo_cli.model import Critic, Policy
from tvo_cli.model.forward_pass.logprobs import ScoresWithExtras
from tvo_cli.optim.schedule import Schedule
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.device_and_precision import Runtime
from tvo_cli.training.update.algorithm import Algorithm
from tvo_cli.training.update.gradient_clipping import clip_gradients
from tvo_cli.training.update.out_of_memory import within_memory_of_all_ranks
from tvo_cli.types import Rollout


@dataclass(slots=True)
class CriticLearner:
    """V with its own backbone, head and optimiser: ½ max((V − G)², (clip(V, V_old ± ε) − G)²), token mean."""

    critic: Critic
    optimizer: Optimizer
    lr: float
    clip: float
    clip_norm: float

    runtime: Runtime

    def values(self, rollout: Rollout, rows: Tensor) -> Tensor:
        """V before each response token of the rows, [b, T], in the training precision."""
        columns = (rollout.prompt_ids, rollout.prompt_mask, rollout.response_ids, rollout.mask)
        ids, seen, responses, mask = (column[rows] for column in columns)
        with self.runtime.autocast():
            return self.critic.values(ids, seen, responses, mask)

    def compute_gradient(self, batch: RolloutBatch, rows: Tensor, microbatch_rows: int) -> float:
        """Put the gradient of the rows into .grad; the loss. Called again, it begins anew."""
        tokens = batch.rollout.mask[rows].sum().clamp(min=1)
        self.optimizer.zero_grad(set_to_none=True)
        ranks = self.runtime.ranks
        parts = rows.split(microbatch_rows or len(rows))

        def differentiate_own() -> list[tuple[int, float]]:
            own = []
            for number, counts in ranks.turns(len(parts)):
                loss = self._loss(batch, parts[number], tokens)
                (loss if counts else loss * 0.0).backward()
                own += [(number, float(loss.detach()))] if counts else []
            return own

        losses = ranks.gather_parts(within_memory_of_all_ranks(ranks, differentiate_own, len(parts[0])), float)
        ranks.sum_gradients(self.critic.parameters())
        return sum(losses, 0.0)

    def _loss(self, batch: RolloutBatch, part: Tensor, tokens: Tensor) -> Tensor:
        """The part's share of the loss of all `tokens`."""
        before, returns = batch.experience.values, batch.advantage.returns
        if before is None or returns is None:
            raise ValueError("a critic learns from its own values and returns; this estimator gave none")
        error = clipped_value_loss(self.values(batch.rollout, part), before[part], returns[part], self.clip)
        return masked.total(error, batch.rollout.mask[part]) / tokens

    def step(self, loss: float, factor: float) -> float:
        """One optimiser step at η·factor; the loss, nan and no step where the gradient is not finite."""
        norm = clip_gradients(self.critic.parameters(), self.clip_norm, self.runtime.ranks)
        if not math.isfinite(norm):
            return float("nan")
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = self.lr * factor
        self.optimizer.step()
        return loss


@dataclass(slots=True)
class Learner:
    """The policy under training with its algorithm, optimiser, schedule, reference and critic."""

    policy: Policy
    algorithm: Algorithm
    optimizer: Optimizer
    schedule: Schedule
    lr: float
    clip_norm: float
    runtime: Runtime
    reference: Policy | None = None
    critic: CriticLearner | None = None

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        """What the optimiser moves."""
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    @property
    def networks(self) -> list[Any]:
        """All that a step computes with."""
        critic = [] if self.critic is None else [self.critic.critic.body]
        return [self.policy.network, *([] if self.reference is None else [self.reference.network]), *critic]

    def score(self, batch: RolloutBatch, rows: Tensor, temperature: float) -> ScoresWithExtras:
        """log π, H and Σπ² of response tokens, [b, T], in the training precision, and what else is read."""
        rollout = batch.rollout
        columns = (rollout.prompt_ids, rollout.prompt_mask, rollout.response_ids, rollout.mask)
        objective = self.algorithm.objective
        wanted = objective.reads.get("covariance", False)
        with self.autocast():
            ids, seen, responses, mask = (column[rows] for column in columns)
            return self.policy.read(
                *(ids, seen, responses, mask, temperature),
                covariance=wanted,
                nucleus=objective.nucleus,
                internal=batch.experience.internal,
            )

    def autocast(self) -> AbstractContextManager[Any]:
        """The runtime's precision."""
        return self.runtime.autocast()

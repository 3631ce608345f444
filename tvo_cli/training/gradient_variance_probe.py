"""The variance of an algorithm's gradient estimator at fixed parameters, measured over independent batches.

Full gradients, in units of reward: every batch is new problems and new responses, so the covariance is that of the
estimator itself, quenched (prompts) and thermal (sampling) noise together. On-policy (D = 0), unless another policy
samples: then with the estimator's ratios, clip or mobility at that displacement, of independent batches. In training
the batch that moved the policy is the batch that is learnt from, which is not measured here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from tvo_cli.errors import UserError
from tvo_cli.maths import masked
from tvo_cli.maths.divergence import binary_total_variation
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.behaviour_policy import BehaviourPolicy
from tvo_cli.training.rng import rng_from_names
from tvo_cli.training.rollout_collection.assemble_batch import assemble_batch
from tvo_cli.training.rollout_collection.collect_rollouts import sample_batch
from tvo_cli.training.session import Session
from tvo_cli.training.stopwatch import Stopwatch
from tvo_cli.training.update.backward import backward_through_network, forces_by_backward
from tvo_cli.training.update.minibatch_forward import forward_parts
from tvo_cli.training.update.policy_update import adapt_after_batch

Progress = Callable[[int, int], object]


@dataclass(slots=True)
class GradientMoments:
    """Sums over batches of a gradient g in R^d; all that means, variances and projections need."""

    total: Tensor  # Σ g, float64 [d]
    squares: list[float]  # |g|² of each batch
    along: list[float]  # <g, g_true> of each batch
    rewards: list[float]
    displacements: list[float]  # mean |π − π_old| over the learnt tokens of each batch

    @property
    def count(self) -> int:
        """Batches."""
        return len(self.squares)

    @property
    def mean(self) -> Tensor:
        """Mean gradient, [d]."""
        return self.total / self.count

    @property
    def trace(self) -> float:
        """Unbiased tr Cov(g) = (Σ|g|² − n|ḡ|²)/(n − 1)."""
        return (sum(self.squares) - self.count * float(self.mean @ self.mean)) / (self.count - 1)

    @property
    def signal(self) -> float:
        """Unbiased |E g|² = |ḡ|² − tr Cov/n (the U-statistic over pairs of different batches)."""
        return float(self.mean @ self.mean) - self.trace / self.count


@dataclass(frozen=True, slots=True)
class EstimatorComparison:
    """An estimator against the true gradient."""

    batches: int
    rollouts: int  # a batch
    reward: float
    trace: float  # tr Cov of a batch's gradient, reward²
    projection: float  # <ḡ, g>/|g|²: 1 when unbiased along g
    projection_error: float  # its standard error
    bias: float  # unbiased estimate of |E ĝ − g|²/|g|²
    bias_error: float  # size of its own noise: (tr Cov/n + tr Cov_true/n_true)/|g|²
    normalised: float  # tr Cov / (projection² |g|²): what is left after any rescaling
    displacement: float  # mean |π − π_old| over learnt tokens; 0 within rounding where the policy samples itself


class BatchGradient(NamedTuple):
    """A batch's gradient, and how far from the policy that sampled it it was taken."""

    values: Tensor  # ascent direction in units of reward, float64 [d]
    displacement: float  # mean |π − π_old| over learnt tokens


def collect_gradient_moments(
    session: Session,
    batches: int,
    warm_up: int,
    truth: Tensor | None,
    progress: Progress,
    behaviour: BehaviourPolicy | None = None,
) -> GradientMoments:
    """Gradients of `batches` independent batches, after `warm_up` batches in which adaptive pieces learn.

    `behaviour` samples them all; adaptive pieces learn at its own parameters, as in the batches before the one that
    moves a policy away from it.
    """
    if batches < 2:
        raise UserError("batches, true_batches", batches, "has no variance.", "Take 2 or more.")
    for index in range(warm_up):
        with _sampling(behaviour):
            batch = assemble_batch(session, sample_batch(session, Stopwatch()))
            gradient_of_batch(session, batch)
        adapt_after_batch(session.learner, batch)
        session.counters.step += 1
        progress(index + 1, warm_up + batches)
    moments: GradientMoments | None = None
    for index in range(batches):
        with _sampling(behaviour):
            batch = assemble_batch(session, sample_batch(session, Stopwatch()))
        gradient, displacement = gradient_of_batch(session, batch)
        session.counters.step += 1
        moments = moments or GradientMoments(torch.zeros_like(gradient), [], [], [], [])
        moments.total += gradient
        moments.squares.append(float(gradient @ gradient))
        moments.along.append(float(gradient @ truth) if truth is not None else 0.0)
        moments.rewards.append(float(batch.experience.rewards.mean()))
        moments.displacements.append(displacement)
        progress(warm_up + index + 1, warm_up + batches)
    if moments is None:
        raise ValueError("no batches were asked for")
    return moments


def compare_with_true_gradient(moments: GradientMoments, true: GradientMoments, rollouts: int) -> EstimatorComparison:
    """Normalise by the squared true gradient, and check for bias."""
    signal, n = true.signal, moments.count
    if not signal:
        remedy = "No response of the batches was better than another: take more batches, or an easier task."
        raise UserError("truth", true.count, "batches have a gradient of 0, by which nothing can be divided.", remedy)
    along = torch.tensor(moments.along, dtype=torch.float64) / signal
    projection = float(along.mean())
    gap = moments.mean - true.mean
    noise = moments.trace / n + true.trace / true.count
    return EstimatorComparison(
        batches=n,
        rollouts=rollouts,
        reward=sum(moments.rewards) / n,
        trace=moments.trace,
        projection=projection,
        projection_error=float(along.std() / n**0.5),
        bias=(float(gap @ gap) - noise) / signal,
        bias_error=noise / signal,
        normalised=moments.trace / (projection**2 * signal) if projection else math.inf,
        displacement=sum(moments.displacements) / n,
    )


def gradient_of_batch(session: Session, batch: RolloutBatch) -> BatchGradient:
    """∇L of one batch at the learner's parameters, wherever it was sampled."""
    learner, experience = session.learner, batch.experience
    learner.optimizer.zero_grad(set_to_none=True)
    rows = torch.arange(len(batch.verdicts), device=experience.mask.device)
    parts = rows.split(session.passes.microbatch_rows or len(rows))
    seed = rng_from_names(session.seed, "lots", session.counters.step).initial_seed()
    moved = torch.zeros_like(experience.old_logp)
    for part in forward_parts(learner, batch, parts, session.passes.temperature, seed):
        loss = learner.algorithm.objective(part.tokens)
        backward_through_network(part.scores, forces_by_backward(loss, part.tokens))
        learner.algorithm.objective.observe(part.tokens)
        moved[part.rows] = binary_total_variation(part.tokens.logp, part.tokens.old_logp).detach()
    flat = torch.cat([p.grad.flatten() for p in learner.parameters if p.grad is not None]).double()
    return BatchGradient(-flat / batch.advantage.scale, float(masked.mean(moved, experience.mask)))


def _sampling(behaviour: BehaviourPolicy | None) -> AbstractContextManager[None]:
    return nullcontext() if behaviour is None else behaviour.in_place()

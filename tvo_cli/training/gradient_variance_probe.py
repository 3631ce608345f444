"""The variance of an algorithm's gradient estimator at fixed parameters, measured over independent batches.

On-policy (D = 0), full gradients, in units of reward: every batch is new problems and new responses, so the
covariance is that of the estimator itself, quenched (prompts) and thermal (sampling) noise together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from tvo_cli.errors import UserError
from tvo_cli.training.backward import backward, forces_on
from tvo_cli.training.batch import Batch
from tvo_cli.training.forward import forwarded
from tvo_cli.training.graded_batch import assemble, draw
from tvo_cli.training.rng import stream
from tvo_cli.training.session import Session
from tvo_cli.training.stopwatch import Stopwatch
from tvo_cli.training.update import end_batch

Progress = Callable[[int, int], object]


@dataclass(slots=True)
class Moments:
    """Sums over batches of a gradient g in R^d; all that means, variances and projections need."""

    total: Tensor  # Σ g, float64 [d]
    squares: list[float]  # |g|² of each batch
    along: list[float]  # <g, g_true> of each batch
    rewards: list[float]

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
class Comparison:
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


def collect(session: Session, batches: int, warm_up: int, truth: Tensor | None, progress: Progress) -> Moments:
    """Gradients of `batches` independent batches, after `warm_up` batches in which adaptive pieces learn."""
    if batches < 2:
        raise UserError("batches, true_batches", batches, "has no variance.", "Take 2 or more.")
    for index, batch in enumerate(_batches(session, warm_up)):
        batch_gradient(session, batch)
        end_batch(session.learner, batch)
        progress(index + 1, warm_up + batches)
    moments: Moments | None = None
    for index, batch in enumerate(_batches(session, batches)):
        gradient = batch_gradient(session, batch)
        moments = moments or Moments(torch.zeros_like(gradient), [], [], [])
        moments.total += gradient
        moments.squares.append(float(gradient @ gradient))
        moments.along.append(float(gradient @ truth) if truth is not None else 0.0)
        moments.rewards.append(float(batch.experience.rewards.mean()))
        progress(warm_up + index + 1, warm_up + batches)
    if moments is None:
        raise ValueError("no batches were asked for")
    return moments


def compare(moments: Moments, true: Moments, rollouts: int) -> Comparison:
    """Normalise by the squared true gradient, and check for bias."""
    signal, n = true.signal, moments.count
    if not signal:
        remedy = "No response of the batches was better than another: take more batches, or an easier task."
        raise UserError("truth", true.count, "batches have a gradient of 0, by which nothing can be divided.", remedy)
    along = torch.tensor(moments.along, dtype=torch.float64) / signal
    projection = float(along.mean())
    gap = moments.mean - true.mean
    noise = moments.trace / n + true.trace / true.count
    return Comparison(
        batches=n,
        rollouts=rollouts,
        reward=sum(moments.rewards) / n,
        trace=moments.trace,
        projection=projection,
        projection_error=float(along.std() / n**0.5),
        bias=(float(gap @ gap) - noise) / signal,
        bias_error=noise / signal,
        normalised=moments.trace / (projection**2 * signal) if projection else math.inf,
    )


def batch_gradient(session: Session, batch: Batch) -> Tensor:
    """∇L of one on-policy batch in units of reward, the sign of an ascent direction, float64 [d]."""
    learner = session.learner
    learner.optimizer.zero_grad(set_to_none=True)
    rows = torch.arange(len(batch.verdicts), device=batch.experience.mask.device)
    parts = rows.split(session.passes.microbatch_rows or len(rows))
    seed = stream(session.seed, "lots", session.counters.step).initial_seed()
    for _, tokens, scores in forwarded(learner, batch, parts, session.passes.temperature, seed):
        loss = learner.algorithm.objective(tokens)
        backward(scores, forces_on(loss, tokens))
        learner.algorithm.objective.observe(tokens)
    flat = torch.cat([p.grad.flatten() for p in learner.parameters if p.grad is not None]).double()
    return -flat / batch.advantage.scale


def _batches(session: Session, count: int) -> Iterator[Batch]:
    for _ in range(count):
        yield assemble(session, draw(session, Stopwatch()))
        session.counters.step += 1

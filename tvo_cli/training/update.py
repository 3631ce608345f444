"""The inner loop: several passes over one rollout batch, θ ← θ − (η/ν)·P·∇L."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from tvo_cli.maths import masked
from tvo_cli.maths.policy_gradient import importance_ratio
from tvo_cli.stability.gradient import GradientReading, MicroBatchVariance
from tvo_cli.training.batch import Batch, Minibatch, minibatches
from tvo_cli.training.forward import forwarded, joined, seen_whole
from tvo_cli.training.learner import Learner
from tvo_cli.types import Loss, Tokens


@dataclass(frozen=True, slots=True)
class Passes:
    """How often and in which pieces a batch is used."""

    epochs: int
    minibatches: int
    microbatch_rows: int
    variance_parts: int
    temperature: float


class TokenForces(NamedTuple):
    """What one micro-batch leaves behind, every tensor [b, T] and detached."""

    rows: Tensor
    logp: Tensor
    entropy: Tensor
    push: Tensor  # ∂L_policy/∂log π, the policy gradient's force on each token
    weight: Tensor  # push over that of the unclipped ρÂ: 0 where clipped, the mobility where damped, 1 where free


@dataclass(slots=True)
class UpdateReport:
    """What an update did: everything that the readings of a step are computed from."""

    gradient: GradientReading | None = None
    norms: list[float] = field(default_factory=list)
    losses: dict[str, list[float]] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    viscosities: list[float] = field(default_factory=list)
    divergences: list[float] = field(default_factory=list)  # the step rule's, before each step
    last_epoch: list[TokenForces] = field(default_factory=list)
    first: list[TokenForces] = field(default_factory=list)  # of the first minibatch, where π_θ = π_old
    skipped: int = 0
    nonfinite: str = ""  # what was not finite, of the first skipped step
    critic_losses: list[float] = field(default_factory=list)


def update(learner: Learner, batch: Batch, passes: Passes, *, seed: int, step: int, steps: int) -> UpdateReport:
    """Use one rollout batch up, or as much of it as the step rule allows. A step that is not finite is skipped."""
    algorithm, report = learner.algorithm, UpdateReport()
    experience = batch.experience
    if algorithm.objective.awaits_start:
        rows = torch.arange(len(experience.mask), device=experience.mask.device)
        parts = rows.split(passes.microbatch_rows or len(rows))
        algorithm.objective.start(seen_whole(learner, batch, parts, passes.temperature))
    algorithm.step_rule.begin_batch(experience.old_logp, experience.mask, step, steps)
    for minibatch in minibatches(
        experience.group.cpu(),
        epochs=passes.epochs,
        count=passes.minibatches,
        microbatch_rows=passes.microbatch_rows,
        variance_parts=passes.variance_parts,
        seed=seed,
        step=step,
    ):
        report.last_epoch = report.last_epoch if minibatch.index else []
        divergence = _descend(learner, batch, minibatch, passes, report)
        viscosity = algorithm.step_rule.viscosity(divergence) if divergence is not None else 1.0
        if math.isinf(viscosity):
            break
        if divergence is not None:
            _step(learner, divergence, viscosity, report, learner.schedule(step, steps))
        if learner.critic is not None:
            report.critic_losses.append(learner.critic.step(batch, minibatch.rows, passes.microbatch_rows))
    return report


def end_batch(learner: Learner, batch: Batch) -> None:
    """Let what adapts from batch to batch learn from this one: viscosity, coefficients, baseline."""
    experience = batch.experience
    learner.algorithm.step_rule.end_batch()
    learner.algorithm.objective.end_batch(float(masked.mean(-experience.old_logp, experience.mask)))
    learner.algorithm.estimator.end_batch(experience)


def _descend(
    learner: Learner, batch: Batch, minibatch: Minibatch, passes: Passes, report: UpdateReport
) -> float | None:
    """Put the minibatch's gradient into .grad; its mean divergence, or None when something was not finite."""
    algorithm = learner.algorithm
    learner.optimizer.zero_grad(set_to_none=True)
    mask = batch.experience.mask[minibatch.rows]
    measured = minibatch.epoch == 0 and minibatch.index == 0 and len(minibatch.parts) > 1
    reading = MicroBatchVariance(learner.parameters) if measured else None
    moved = torch.zeros((), device=mask.device)
    for rows, tokens, scores in forwarded(learner, batch, minibatch.parts, passes.temperature, minibatch.seed):
        loss = algorithm.objective(tokens)
        if not torch.isfinite(loss.total):
            _skip(report, "loss")
            return None
        policy_push = torch.autograd.grad(loss.parts["policy"], tokens.logp, retain_graph=True)[0]
        forces = forces_on(loss, tokens)
        if reading is None:
            backward(scores, forces)
        else:
            with reading.part():
                backward(scores, forces)
        moved += masked.total(algorithm.step_rule.divergence(tokens.logp.detach(), tokens.old_logp), tokens.mask)
        _remember(report, loss, tokens, rows, policy_push, learner, minibatch)
    norm = float(torch.nn.utils.clip_grad_norm_(learner.parameters, learner.clip_norm))
    if not math.isfinite(norm):
        _skip(report, "gradient")
        return None
    if reading is not None:
        report.gradient = reading.result(norm**2, rollouts=len(minibatch.rows), total_rollouts=len(batch.verdicts))
    report.norms.append(norm)
    return float(moved / mask.sum().clamp(min=1))


def forces_on(loss: Loss, tokens: Tokens) -> tuple[Tensor, ...]:
    """∂L/∂(log π, H, Σπ², and the nucleus's entropy where it is read), each [b, T]."""
    leaves = differentiable(tokens)
    found = torch.autograd.grad(loss.total, leaves, allow_unused=True)
    return tuple(torch.zeros_like(x) if g is None else g for g, x in zip(found, leaves))


def differentiable(tokens: Tokens) -> tuple[Tensor, ...]:
    """The scores through which a loss acts on the network, in their order."""
    leaves = (tokens.logp, tokens.entropy, tokens.collision)
    return leaves if tokens.nucleus_entropy is None else (*leaves, tokens.nucleus_entropy)


def backward(scores: tuple[Tensor, ...], forces: tuple[Tensor, ...]) -> None:
    """Carry the forces on the tokens through the network into .grad."""
    torch.autograd.backward(scores, forces)


def _skip(report: UpdateReport, what: str) -> None:
    report.skipped += 1
    report.nonfinite = report.nonfinite or what


def _remember(
    report: UpdateReport,
    loss: Loss,
    tokens: Tokens,
    rows: Tensor,
    push: Tensor,
    learner: Learner,
    minibatch: Minibatch,
) -> None:
    first = rows is minibatch.parts[0]
    for name, part in loss.parts.items():
        summed = report.losses.setdefault(name, [])
        if first:
            summed.append(0.0)
        summed[-1] += float(part.detach())
    detached = joined([tokens])
    objective = learner.algorithm.objective
    if minibatch.epoch == 0:
        objective.observe(detached)
    free = -detached.share * importance_ratio(detached.logp - detached.old_logp) * objective.soft_advantage(detached)
    weight = torch.where(free != 0, push / free, 1.0)
    report.last_epoch.append(TokenForces(rows, detached.logp, detached.entropy, push, weight))
    if minibatch.epoch == 0 and minibatch.index == 0:
        report.first.append(report.last_epoch[-1])


def _step(learner: Learner, divergence: float, viscosity: float, report: UpdateReport, factor: float) -> None:
    """One optimiser step at η·factor/ν."""
    rate = learner.lr * factor / viscosity
    for parameters in learner.optimizer.param_groups:
        parameters["lr"] = rate
    learner.optimizer.step()
    report.rates.append(rate)
    report.viscosities.append(viscosity)
    report.divergences.append(divergence)

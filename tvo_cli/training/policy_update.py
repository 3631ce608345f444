"""The policy update: optimiser steps over the minibatches of one rollout batch, θ ← θ − (η/ν)·P·∇L."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor

from tvo_cli.maths import masked
from tvo_cli.maths.importance_ratio import importance_ratio
from tvo_cli.stability.gradient_noise import MicroBatchVariance
from tvo_cli.training.backward import backward_through_network, forces_by_backward
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.learner import Learner
from tvo_cli.training.minibatch_forward import forward_parts, forward_whole_minibatch, join_tokens
from tvo_cli.training.minibatches import Minibatch, cut_into_minibatches
from tvo_cli.training.run_settings import InnerLoopSettings
from tvo_cli.training.step_state import StepInProgress, StepTokenForces, UpdateReport
from tvo_cli.types import Loss, Tokens


class NonFiniteUpdate(Exception):
    """An update that must not be taken; the text says what was not a number."""


def remaining_minibatches_of_update(
    learner: Learner, work: StepInProgress, passes: InnerLoopSettings, *, seed: int, step: int, steps: int
) -> Iterator[Minibatch]:
    """The minibatches of a rollout batch that have not been used yet; the first of all opens the batch."""
    experience = work.batch.experience
    if work.position == 0:
        _start_penalties_before_first_update(learner, work.batch, passes)
        learner.algorithm.step_rule.begin_batch(experience.old_logp, experience.mask, step, steps)
    order = cut_into_minibatches(
        experience.group.cpu(),
        epochs=passes.epochs,
        count=passes.minibatches,
        microbatch_rows=passes.rows(work.batch),
        variance_parts=passes.variance_parts,
        seed=seed,
        step=step,
    )
    return islice(order, work.position, None)


def _start_penalties_before_first_update(learner: Learner, batch: RolloutBatch, passes: InnerLoopSettings) -> None:
    """The first rollout batch of all, under the policy that sampled it, to penalties that wait for it."""
    objective, mask = learner.algorithm.objective, batch.experience.mask
    if objective.awaits_start:
        parts = torch.arange(len(mask), device=mask.device).split(passes.microbatch_rows or len(mask))
        objective.start(forward_whole_minibatch(learner, batch, parts, passes.temperature))


def update_policy(
    learner: Learner, work: StepInProgress, minibatch: Minibatch, passes: InnerLoopSettings, factor: float
) -> bool:
    """One optimiser step at η·factor/ν; whether the batch may be used further: a step rule with ν = ∞ ends it.

    What is not finite is never stepped on: the update is left out and counted.
    """
    batch, report = work.batch, work.report
    report.last_epoch = report.last_epoch if minibatch.index else []
    work.position += 1
    try:
        divergence = _compute_gradient(learner, batch, minibatch, passes, report)
    except NonFiniteUpdate as found:
        report.skipped, report.skipped_last = report.skipped + 1, report.skipped_last + 1
        report.nonfinite = report.nonfinite or str(found)
        return True
    viscosity = learner.algorithm.step_rule.viscosity(divergence)
    if math.isinf(viscosity):
        return False
    _optimizer_step(learner, divergence, viscosity, report, factor)
    if learner.critic is not None:
        report.critic_losses.append(learner.critic.step(batch, minibatch.rows, passes.rows(batch)))
    return True


def adapt_after_batch(learner: Learner, batch: RolloutBatch) -> None:
    """Adapt step rule, objective and estimator after a batch, unless something in it is not finite."""
    experience = batch.experience
    if non_finite_input_of_update(batch, torch.arange(len(experience.rewards))):
        learner.algorithm.objective.discard()
        return
    learner.algorithm.step_rule.end_batch()
    learner.algorithm.objective.end_batch(float(masked.mean(-experience.old_logp, experience.mask)))
    learner.algorithm.estimator.end_batch(experience)


def non_finite_input_of_update(batch: RolloutBatch, rows: Tensor) -> str:
    """What is not finite in these rows of a batch, the cause before its consequences; or ""."""
    mask = batch.experience.mask[rows]
    for name, found in batch.readings().items():
        if bool((mask & ~torch.isfinite(found[rows])).any()):
            return name
    return ""


def _compute_gradient(
    learner: Learner, batch: RolloutBatch, minibatch: Minibatch, passes: InnerLoopSettings, report: UpdateReport
) -> float:
    """Put the minibatch's gradient into .grad; its mean divergence, the step rule's."""
    if trouble := non_finite_input_of_update(batch, minibatch.rows):
        raise NonFiniteUpdate(trouble)
    algorithm = learner.algorithm
    learner.optimizer.zero_grad(set_to_none=True)
    mask = batch.experience.mask[minibatch.rows]
    measured = minibatch.epoch == 0 and minibatch.index == 0 and len(minibatch.parts) > 1
    reading = MicroBatchVariance(learner.parameters) if measured else None
    moved = torch.zeros((), device=mask.device)
    for rows, tokens, scores in forward_parts(learner, batch, minibatch.parts, passes.temperature, minibatch.seed):
        loss = algorithm.objective(tokens)
        if trouble := _non_finite_in_update(tokens, loss):
            raise NonFiniteUpdate(trouble)
        policy_push = torch.autograd.grad(loss.parts["policy"], tokens.logp, retain_graph=True)[0]
        forces = forces_by_backward(loss, tokens)
        if reading is None:
            backward_through_network(scores, forces)
        else:
            with reading.part():
                backward_through_network(scores, forces)
        moved += masked.total(algorithm.step_rule.divergence(tokens.logp.detach(), tokens.old_logp), tokens.mask)
        _report_losses_and_forces(report, loss, tokens, rows, policy_push, learner, minibatch)
    norm = float(torch.nn.utils.clip_grad_norm_(learner.parameters, learner.clip_norm))
    if not math.isfinite(norm):
        raise NonFiniteUpdate("gradient")
    if reading is not None:
        report.gradient = reading.result(norm**2, rollouts=len(minibatch.rows), total_rollouts=len(batch.verdicts))
    report.norms.append(norm)
    return float(moved / mask.sum().clamp(min=1))


def _non_finite_in_update(tokens: Tokens, loss: Loss) -> str:
    """What of a part's log-probabilities, ratios and loss is not finite, or ""."""
    if not bool(torch.isfinite(tokens.logp).all()):
        return "log-prob"
    with torch.no_grad():  # the ratio as it is: the objective's own is cut off before it overflows
        ratio = torch.where(tokens.mask, tokens.logp - tokens.old_logp, 0.0).exp()
    if not bool(torch.isfinite(ratio).all()):
        return "ratio"
    return "" if bool(torch.isfinite(loss.total)) else "loss"


def _report_losses_and_forces(
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
    detached = join_tokens([tokens])
    objective = learner.algorithm.objective
    if minibatch.epoch == 0:
        objective.observe(detached)
    free = -detached.share * importance_ratio(detached.logp - detached.old_logp) * objective.soft_advantage(detached)
    free = free if detached.importance is None else free * detached.importance
    weight = torch.where(free != 0, push / free, 1.0)
    report.last_epoch.append(StepTokenForces(rows, detached.logp, detached.entropy, push, weight))
    if minibatch.epoch == 0 and minibatch.index == 0:
        report.first.append(report.last_epoch[-1])


def _optimizer_step(learner: Learner, divergence: float, viscosity: float, report: UpdateReport, factor: float) -> None:
    """One optimiser step at η·factor/ν."""
    rate = learner.lr * factor / viscosity
    for parameters in learner.optimizer.param_groups:
        parameters["lr"] = rate
    learner.optimizer.step()
    report.skipped_last = 0
    report.rates.append(rate)
    report.viscosities.append(viscosity)
    report.divergences.append(divergence)

"""The policy update: optimiser steps over the minibatches of one rollout batch, θ ← θ − (η/ν)·P·∇L."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

import torch

from tvo_cli.maths import masked
from tvo_cli.optim import RewardReadingStepRule
from tvo_cli.rollout import TemperedBranch
from tvo_cli.training import rng
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.counters import RunCounters
from tvo_cli.training.run_settings import InnerLoopSettings
from tvo_cli.training.step_state import StepInProgress, UpdateReport
from tvo_cli.training.update.gradient_clipping import clip_factor
from tvo_cli.training.update.gradient_dissipation import preconditioned_square
from tvo_cli.training.update.learner import CriticLearner, Learner
from tvo_cli.training.update.minibatch_forward import forward_whole_minibatch
from tvo_cli.training.update.minibatch_gradient import (
    NonFiniteUpdate,
    compute_minibatch_gradient,
    non_finite_input_of_update,
)
from tvo_cli.training.update.minibatches import Minibatch, cut_into_minibatches, halve_microbatches
from tvo_cli.training.update.out_of_memory import CRITIC, POLICY, MemoryGuard, UpdateOutOfMemory


def remaining_minibatches_of_update(
    learner: Learner, work: StepInProgress, passes: InnerLoopSettings, *, seed: int, step: int, steps: int
) -> Iterator[Minibatch]:
    """The minibatches of a rollout batch that have not been used yet; the first of all opens the batch."""
    experience = work.batch.experience
    if work.position == 0:
        _start_penalties_before_first_update(learner, work.batch, passes)
        if isinstance(learner.algorithm.step_rule, RewardReadingStepRule):
            own = work.batch.own_rows
            seen = experience.rewards[own], experience.group[own], experience.source[own]
            learner.algorithm.step_rule.observe_rewards(*seen)
        learner.algorithm.step_rule.begin_batch(experience.old_logp, experience.mask, step, steps)
    order = cut_into_minibatches(
        experience.group.cpu(),
        epochs=passes.epochs,
        count=passes.minibatches,
        microbatch_rows=passes.bounded_rows(work.batch.rollout),
        variance_parts=passes.variance_parts,
        ranks=passes.ranks,
        parted_variance=passes.parted_variance,
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
    learner: Learner,
    work: StepInProgress,
    minibatch: Minibatch,
    passes: InnerLoopSettings,
    factor: float,
    counters: RunCounters,
) -> bool:
    """One optimiser step at η·factor/ν, and the critic's at its own η·factor; whether the batch may be used further.

    A step rule with ν = ∞ ends it.
    What is not finite is never stepped on: the update is left out and counted.
    Both gradients are there before either step is taken, so that where one does not fit into memory nothing is done.
    """
    guard = MemoryGuard(counters, work.position, learner.runtime.ranks)
    batch, report = work.batch, work.report
    report.last_epoch = report.last_epoch if minibatch.index else []
    streams, value_loss = rng.rng_state(), 0.0
    work.position += 1
    try:
        if learner.critic is not None:
            value_loss = _compute_critic_gradient_within_memory(learner.critic, batch, minibatch, passes, guard)
        divergence = _compute_gradient_within_memory(learner, batch, minibatch, passes, report, guard)
    except NonFiniteUpdate as found:
        report.skipped, report.skipped_last = report.skipped + 1, report.skipped_last + 1
        report.nonfinite = report.nonfinite or str(found)
        return True
    except UpdateOutOfMemory:
        work.position -= 1  # nothing of it was done
        rng.set_rng_state(streams)
        raise
    viscosity = learner.algorithm.step_rule.viscosity(divergence)
    if math.isinf(viscosity):
        report.norms.pop()  # of a gradient along which no step is taken
        return False
    _optimizer_step(learner, divergence, viscosity, report, factor)
    _report_descent(learner, batch, minibatch, report)
    if learner.critic is not None:
        report.critic_losses.append(learner.critic.step(value_loss, factor))
    return True


def _compute_gradient_within_memory(
    learner: Learner,
    batch: RolloutBatch,
    minibatch: Minibatch,
    passes: InnerLoopSettings,
    report: UpdateReport,
    guard: MemoryGuard,
) -> float:
    def compute(halved: bool) -> float:
        cut = halve_microbatches(minibatch, batch.experience.group) if halved else minibatch
        return compute_minibatch_gradient(learner, batch, cut, passes, report)

    return guard.run(compute, part=POLICY, rows=max(map(len, minibatch.microbatches)))


def _compute_critic_gradient_within_memory(
    critic: CriticLearner, batch: RolloutBatch, minibatch: Minibatch, passes: InnerLoopSettings, guard: MemoryGuard
) -> float:
    rows = min(passes.rows(batch) or len(minibatch.rows), len(minibatch.rows))

    def compute(halved: bool) -> float:
        return critic.compute_gradient(batch, minibatch.rows, -(-rows // 2) if halved else rows)

    return guard.run(compute, part=CRITIC, rows=rows)


def adapt_after_batch(learner: Learner, batch: RolloutBatch) -> bool:
    """Adapt step rule, objective and estimator after a batch, unless something in it is not finite; whether it was."""
    experience = batch.experience
    if non_finite_input_of_update(batch, torch.arange(len(experience.rewards))):
        learner.algorithm.objective.discard()
        return False
    learner.algorithm.step_rule.end_batch()
    learner.algorithm.objective.end_batch(_mean_entropy_of_sampler(batch))
    learner.algorithm.estimator.end_batch(experience)
    if isinstance(learner.algorithm.sampling, TemperedBranch):
        learner.algorithm.sampling.end_batch(_mean_entropy_of_sampler(batch))
    if learner.algorithm.token_temperature is not None and experience.old_entropy is not None:
        learner.algorithm.token_temperature.end_batch(experience.old_entropy, batch.own_tokens)
    return True


def _mean_entropy_of_sampler(batch: RolloutBatch) -> float:
    """Before the update, the mean entropy of the policy that sampled, nats a token; estimated where it was not read."""
    experience = batch.experience
    read = None if experience.internal else experience.old_entropy
    entropy = -batch.sampled_logp if read is None else read
    return float(masked.mean(entropy, batch.own_tokens))


def _optimizer_step(learner: Learner, divergence: float, viscosity: float, report: UpdateReport, factor: float) -> None:
    """One optimiser step at η·factor/ν; reported is the rate that was stepped at, under Lion a share s of that."""
    rate = learner.lr * factor / viscosity
    for parameters in learner.optimizer.param_groups:
        parameters["lr"] = rate
    learner.optimizer.step()
    report.skipped_last = 0
    report.rates.append(rate * learner.optimizer.param_groups[0].get("lr_scale", 1.0))
    report.viscosities.append(viscosity)
    report.divergences.append(divergence)


def _report_descent(learner: Learner, batch: RolloutBatch, minibatch: Minibatch, report: UpdateReport) -> None:
    """‖∇F‖²_P of the first step of a batch, from the gradient that is there; later ones reuse the rollouts.

    ∇L = c·∇F with c = κ · responses · mean share of a token: κ over the mean length for a token mean. The gradient in
    .grad has been clipped once, and stands once in ∇L and once in the step.
    """
    if report.descent is not None or batch.experience.internal or batch.demonstrated is not None:
        return  # F is the whole network's, and of responses alone
    square = preconditioned_square(learner.optimizer, learner.runtime.ranks)
    mask = batch.experience.mask[minibatch.rows]
    counted = batch.counted[minibatch.rows]
    share = float(masked.mean(learner.algorithm.objective.reduce(counted), mask))
    per_reward = batch.advantage.scale * len(mask) * share
    if square is not None and per_reward > 0.0:
        report.descent = square / clip_factor(report.norms[-1], learner.clip_norm) / per_reward

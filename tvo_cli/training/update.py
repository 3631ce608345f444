"""The inner loop: several passes over one rollout batch, θ ← θ − (η/ν)·P·∇L."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor

from tvo_cli.maths import masked
from tvo_cli.maths.divergence import binary_total_variation
from tvo_cli.maths.policy_gradient import importance_ratio
from tvo_cli.stability.gradient import MicroBatchVariance
from tvo_cli.training.batch import Batch, Minibatch, minibatches
from tvo_cli.training.learner import Learner
from tvo_cli.training.work import TokenForces, UpdateReport, Work
from tvo_cli.types import Loss, Tokens


@dataclass(frozen=True, slots=True)
class Passes:
    """How often and in which pieces a batch is used."""

    epochs: int
    minibatches: int
    microbatch_rows: int
    variance_parts: int
    temperature: float


class NotFinite(Exception):
    """An update that must not be taken; the text says what was not a number."""


def remaining(learner: Learner, work: Work, passes: Passes, *, seed: int, step: int, steps: int) -> Iterator[Minibatch]:
    """The minibatches of a rollout batch that have not been used yet; the first of all opens the batch."""
    experience = work.batch.experience
    if work.position == 0:
        learner.algorithm.step_rule.begin_batch(experience.old_logp, experience.mask, step, steps)
    order = minibatches(
        experience.group.cpu(),
        epochs=passes.epochs,
        count=passes.minibatches,
        microbatch_rows=passes.microbatch_rows,
        variance_parts=passes.variance_parts,
        seed=seed,
        step=step,
    )
    return islice(order, work.position, None)


def take(learner: Learner, work: Work, minibatch: Minibatch, passes: Passes, factor: float) -> None:
    """One optimiser step at η·factor/ν. What is not finite is never stepped on: the update is left out and counted."""
    batch, report = work.batch, work.report
    report.last_epoch = report.last_epoch if minibatch.index else []
    try:
        divergence = _descend(learner, batch, minibatch, passes, report)
    except NotFinite as found:
        report.skipped, report.skipped_last = report.skipped + 1, report.skipped_last + 1
        report.nonfinite = report.nonfinite or str(found)
    else:
        _step(learner, divergence, report, factor)
        if learner.critic is not None:
            report.critic_losses.append(learner.critic.step(batch, minibatch.rows, passes.microbatch_rows))
    work.position += 1


def end_batch(learner: Learner, batch: Batch) -> None:
    """Let what adapts from batch to batch learn from this one, unless something in it is not a number."""
    experience = batch.experience
    if not_finite(batch, torch.arange(len(experience.rewards))):
        return
    learner.algorithm.step_rule.end_batch()
    learner.algorithm.objective.end_batch(float(masked.mean(-experience.old_logp, experience.mask)))
    learner.algorithm.estimator.end_batch(experience)


def not_finite(batch: Batch, rows: Tensor) -> str:
    """What is not finite in these rows of a batch, the cause before its consequences; or ""."""
    experience = batch.experience
    seen = {
        "reward": experience.rewards[:, None],
        "log-prob": experience.old_logp,
        "reference log-prob": experience.ref_logp,
        "value": experience.values,
        "importance": batch.importance,
        "advantage": batch.advantage.values,
        "return": batch.advantage.returns,
    }
    mask = experience.mask[rows]
    for name, found in seen.items():
        if found is not None and bool((mask & ~torch.isfinite(found[rows])).any()):
            return name
    return ""


def _descend(learner: Learner, batch: Batch, minibatch: Minibatch, passes: Passes, report: UpdateReport) -> float:
    """Put the minibatch's gradient into .grad; its mean binary TV."""
    if trouble := not_finite(batch, minibatch.rows):
        raise NotFinite(trouble)
    learner.optimizer.zero_grad(set_to_none=True)
    mask = batch.experience.mask[minibatch.rows]
    shares = learner.algorithm.objective.reduce(mask).split([len(part) for part in minibatch.parts])
    measured = minibatch.epoch == 0 and minibatch.index == 0 and len(minibatch.parts) > 1
    reading = MicroBatchVariance(learner.parameters) if measured else None
    moved = torch.zeros((), device=mask.device)
    for rows, share in zip(minibatch.parts, shares):
        tokens, scores = tokens_of(learner, batch, rows, share, passes.temperature)
        loss = learner.algorithm.objective(tokens)
        if trouble := _overflow(tokens, loss):
            raise NotFinite(trouble)
        policy_push = torch.autograd.grad(loss.parts["policy"], tokens.logp, retain_graph=True)[0]
        forces = forces_on(loss, tokens)
        if reading is None:
            backward(scores, forces)
        else:
            with reading.part():
                backward(scores, forces)
        moved += masked.total(binary_total_variation(tokens.logp.detach(), tokens.old_logp), tokens.mask)
        _remember(report, loss, tokens, rows, policy_push, learner, minibatch)
    norm = float(torch.nn.utils.clip_grad_norm_(learner.parameters, learner.clip_norm))
    if not math.isfinite(norm):
        raise NotFinite("gradient")
    if reading is not None:
        report.gradient = reading.result(norm**2, rollouts=len(minibatch.rows), total_rollouts=len(batch.verdicts))
    report.norms.append(norm)
    return float(moved / mask.sum().clamp(min=1))


def tokens_of(
    learner: Learner, batch: Batch, rows: Tensor, share: Tensor, temperature: float
) -> tuple[Tokens, tuple[Tensor, ...]]:
    """Score the rows; the objective sees leaves, so that the force on every token is known before the network's."""
    rollout, experience = batch.rollout, batch.experience
    scores = learner.score(
        rollout.prompt_ids[rows], rollout.prompt_mask[rows], rollout.response_ids[rows], rollout.mask[rows],
        temperature,
    )  # fmt: skip
    leaves = tuple(score.detach().requires_grad_() for score in scores)
    weight = share if batch.importance is None else share * batch.importance[rows]
    tokens = Tokens(
        *(leaves[0], experience.old_logp[rows], leaves[1], leaves[2]),
        advantage=batch.advantage.values[rows],
        mask=experience.mask[rows],
        share=weight,
        scale=batch.advantage.scale,
        ref_logp=None if experience.ref_logp is None else experience.ref_logp[rows],
    )
    return tokens, tuple(scores)


def forces_on(loss: Loss, tokens: Tokens) -> tuple[Tensor, ...]:
    """∂L/∂(log π, H, Σπ²), each [b, T]."""
    leaves = (tokens.logp, tokens.entropy, tokens.collision)
    found = torch.autograd.grad(loss.total, leaves, allow_unused=True)
    return tuple(torch.zeros_like(x) if g is None else g for g, x in zip(found, leaves))


def backward(scores: tuple[Tensor, ...], forces: tuple[Tensor, ...]) -> None:
    """Carry the forces on the tokens through the network into .grad."""
    torch.autograd.backward(scores, forces)


def _overflow(tokens: Tokens, loss: Loss) -> str:
    """What of a part's log-probabilities, ratios and loss is not finite, or ""."""
    if not bool(torch.isfinite(tokens.logp).all()):
        return "log-prob"
    with torch.no_grad():  # the ratio as it is: the objective's own is cut off before it overflows
        ratio = torch.where(tokens.mask, tokens.logp - tokens.old_logp, 0.0).exp()
    if not bool(torch.isfinite(ratio).all()):
        return "ratio"
    return "" if bool(torch.isfinite(loss.total)) else "loss"


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
    detached = replace(
        tokens,
        logp=tokens.logp.detach(),
        entropy=tokens.entropy.detach(),
        collision=tokens.collision.detach(),
    )
    objective = learner.algorithm.objective
    if minibatch.epoch == 0:
        objective.observe(detached)
    free = -detached.share * importance_ratio(detached.logp - detached.old_logp) * objective.soft_advantage(detached)
    weight = torch.where(free != 0, push / free, 1.0)
    report.last_epoch.append(TokenForces(rows, detached.logp, detached.entropy, push, weight))
    if minibatch.epoch == 0 and minibatch.index == 0:
        report.first.append(report.last_epoch[-1])


def _step(learner: Learner, divergence: float, report: UpdateReport, factor: float) -> None:
    """One optimiser step at η·factor/ν."""
    viscosity = learner.algorithm.step_rule.viscosity(divergence)
    rate = learner.lr * factor / viscosity
    for parameters in learner.optimizer.param_groups:
        parameters["lr"] = rate
    learner.optimizer.step()
    report.skipped_last = 0
    report.rates.append(rate)
    report.viscosities.append(viscosity)
    report.divergences.append(divergence)

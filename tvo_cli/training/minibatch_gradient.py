"""The gradient of a minibatch, part by part, into .grad; what is not finite is refused; what a report needs of it.

An attempt that runs out of memory leaves nothing in the report, so that it can be made again.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from tvo_cli.maths import masked
from tvo_cli.maths.importance_ratio import importance_ratio
from tvo_cli.stability.gradient_noise import MicroBatchVariance
from tvo_cli.training.backward import backward_through_network, forces_by_backward
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.learner import Learner
from tvo_cli.training.minibatch_forward import forward_parts, join_tokens
from tvo_cli.training.minibatches import Minibatch
from tvo_cli.training.run_settings import InnerLoopSettings
from tvo_cli.training.step_state import StepTokenForces, UpdateReport
from tvo_cli.types import Loss, Tokens


class NonFiniteUpdate(Exception):
    """An update that must not be taken; the text says what was not a number."""


def compute_minibatch_gradient(
    learner: Learner, batch: RolloutBatch, minibatch: Minibatch, passes: InnerLoopSettings, report: UpdateReport
) -> float:
    """Put the minibatch's gradient into .grad; its mean divergence, the step rule's."""
    if trouble := non_finite_input_of_update(batch, minibatch.rows):
        raise NonFiniteUpdate(trouble)
    learner.optimizer.zero_grad(set_to_none=True)
    mask = batch.experience.mask[minibatch.rows]
    reading = MicroBatchVariance(learner.parameters) if minibatch.measured else None
    done: list[_ForwardedPart] = []
    try:
        moved = _accumulate_gradient(learner, batch, minibatch, passes, reading, done)
    except torch.OutOfMemoryError:
        done.clear()  # the minibatch is computed again
        raise
    finally:
        for part in done:
            _report_losses_and_forces(report, part, learner, minibatch)
    norm = float(torch.nn.utils.clip_grad_norm_(learner.parameters, learner.clip_norm))
    if not math.isfinite(norm):
        raise NonFiniteUpdate("gradient")
    if reading is not None:
        report.gradient = reading.result(norm**2, rollouts=len(minibatch.rows), total_rollouts=len(batch.verdicts))
    report.norms.append(norm)
    return float(moved / mask.sum().clamp(min=1))


class _ForwardedPart(NamedTuple):
    """What a micro-batch leaves behind for the report of the update."""

    rows: Tensor
    tokens: Tokens  # detached
    losses: dict[str, float]
    push: Tensor  # ∂L_policy/∂log π


def _accumulate_gradient(
    learner: Learner,
    batch: RolloutBatch,
    minibatch: Minibatch,
    passes: InnerLoopSettings,
    reading: MicroBatchVariance | None,
    done: list[_ForwardedPart],
) -> Tensor:
    """Add the gradient of every part to .grad; the sum of the step rule's divergence over tokens."""
    algorithm = learner.algorithm
    moved = torch.zeros((), device=batch.experience.mask.device)
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
        losses = {name: float(part.detach()) for name, part in loss.parts.items()}
        done.append(_ForwardedPart(rows, join_tokens([tokens]), losses, policy_push))
    return moved


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
    report: UpdateReport, part: _ForwardedPart, learner: Learner, minibatch: Minibatch
) -> None:
    rows, detached, losses, push = part
    for name, loss in losses.items():
        summed = report.losses.setdefault(name, [])
        if rows is minibatch.parts[0]:
            summed.append(0.0)
        summed[-1] += loss
    objective = learner.algorithm.objective
    if minibatch.epoch == 0:
        objective.observe(detached)
    free = -detached.share * importance_ratio(detached.logp - detached.old_logp) * objective.soft_advantage(detached)
    free = free if detached.importance is None else free * detached.importance
    weight = torch.where(free != 0, push / free, 1.0)
    report.last_epoch.append(StepTokenForces(rows, detached.logp, detached.entropy, push, weight))
    if minibatch.epoch == 0 and minibatch.index == 0:
        report.first.append(report.last_epoch[-1])


def non_finite_input_of_update(batch: RolloutBatch, rows: Tensor) -> str:
    """What is not finite in these rows of a batch, the cause before its consequences; or ""."""
    mask = batch.experience.mask[rows]
    for name, found in batch.readings().items():
        if bool((mask & ~torch.isfinite(found[rows])).any()):
            return name
    return ""

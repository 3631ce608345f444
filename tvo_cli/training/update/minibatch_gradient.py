"""The gradient of a minibatch, part by part, into .grad, clipped; what is not finite is refused; its report.

An attempt that runs out of memory leaves nothing in the report, so that it can be made again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import takewhile
from typing import NamedTuple

import torch
from torch import Tensor

from tvo_cli.maths import masked
from tvo_cli.maths.importance_ratio import importance_ratio
from tvo_cli.parallel.ranks import Ranks
from tvo_cli.stability.gradient_noise import MicroBatchVariance
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.run_settings import InnerLoopSettings
from tvo_cli.training.step_state import StepTokenForces, UpdateReport
from tvo_cli.training.update.backward import backward_through_network, forces_by_backward
from tvo_cli.training.update.gradient_clipping import clip_gradients
from tvo_cli.training.update.learner import Learner
from tvo_cli.training.update.minibatch_forward import ForwardedPart, forward_parts, join_tokens
from tvo_cli.training.update.minibatches import Minibatch
from tvo_cli.training.update.next_token_loss import NEXT_TOKEN, add_next_token_gradient
from tvo_cli.training.update.out_of_memory import OutOfMemoryOnAllRanks, out_of_memory_in_sharded_pass
from tvo_cli.types import Loss, Tokens

OUT_OF_MEMORY = "out of memory"


class NonFiniteUpdate(Exception):
    """A minibatch whose gradient must not be used; the text says what was not a number."""


def compute_minibatch_gradient(
    learner: Learner, batch: RolloutBatch, minibatch: Minibatch, passes: InnerLoopSettings, report: UpdateReport
) -> float:
    """Put the minibatch's gradient into .grad; its mean divergence, the step rule's."""
    if trouble := non_finite_input_of_update(batch, minibatch.rows):
        raise NonFiniteUpdate(trouble)
    ranks = learner.runtime.ranks
    learner.optimizer.zero_grad(set_to_none=True)
    mask = batch.experience.mask[minibatch.rows]
    watched = learner.policy.differentiated_parameters() if minibatch.measured else []
    reading = MicroBatchVariance(watched, minibatch.passes) if minibatch.measured else None
    outcomes = _parts_of_all_ranks(learner, batch, minibatch, passes, reading)
    if OUT_OF_MEMORY in [outcome.trouble for outcome in outcomes]:
        raise OutOfMemoryOnAllRanks("a micro-batch")  # the minibatch is computed again
    parts = [outcome.part for outcome in takewhile(lambda outcome: not outcome.trouble, outcomes) if outcome.part]
    if trouble := next((outcome.trouble for outcome in outcomes if outcome.trouble), ""):
        _report_losses_and_forces(report, parts, learner, minibatch)
        raise NonFiniteUpdate(trouble)
    ranks.sum_gradients(learner.parameters)
    norm, own = _clip_minibatch_gradient(learner, batch, minibatch, passes, report)
    _report_losses_and_forces(report, parts, learner, minibatch)  # now that no memory can be short
    if not math.isfinite(norm):
        raise NonFiniteUpdate("gradient")
    if reading is not None:
        reading.take_squares(ranks.gather_parts(_numbered_squares(reading, ranks), Tensor))
        report.gradient = reading.result(own**2, rollouts=len(minibatch.rows), total_rollouts=len(batch.verdicts))
    report.norms.append(norm)
    moved = sum((part.moved for part in parts), torch.zeros((), device=mask.device))
    return float(moved / mask.sum().clamp(min=1))


def _clip_minibatch_gradient(
    learner: Learner, batch: RolloutBatch, minibatch: Minibatch, passes: InnerLoopSettings, report: UpdateReport
) -> tuple[float, float]:
    """Add the next-token loss's gradient and clip the minibatch's; ‖g‖ of all of it, and of what the responses give."""
    ranks = learner.runtime.ranks
    if batch.demonstrated is None:
        norm = clip_gradients(learner.parameters, learner.clip_norm, ranks)
        return norm, norm
    own = clip_gradients(learner.parameters, math.inf, ranks)
    beside = add_next_token_gradient(learner, batch.demonstrated, minibatch, passes.minibatches)
    norm = clip_gradients(learner.parameters, learner.clip_norm, ranks)
    if math.isfinite(norm):
        report.losses.setdefault(NEXT_TOKEN, []).append(beside)
    return norm, own


class GradientPart(NamedTuple):
    """What a micro-batch leaves behind on every rank; its gradient is in .grad of the rank that computed it."""

    rows: Tensor
    tokens: Tokens  # detached
    losses: dict[str, float]
    soft: Tensor  # the objective's soft advantage, by what it knows of the whole minibatch
    push: Tensor  # ∂L_policy/∂log π
    moved: Tensor  # sum of the step rule's divergence over tokens


class _MicroBatchGradient(NamedTuple):
    """A micro-batch's part of the gradient, or why there is none."""

    part: GradientPart | None
    trouble: str


def _parts_of_all_ranks(
    learner: Learner,
    batch: RolloutBatch,
    minibatch: Minibatch,
    passes: InnerLoopSettings,
    reading: MicroBatchVariance | None,
) -> list[_MicroBatchGradient]:
    """Add the gradient of this rank's parts to .grad; the outcomes of all parts, in order, the same on every rank.

    A rank stops at its first trouble, and says so with its parts: nobody waits for it.
    """
    ranks = learner.runtime.ranks
    own: list[tuple[int, _MicroBatchGradient]] = []
    try:
        cut = minibatch.parts, passes.temperature, minibatch.seed, minibatch.passes
        for forwarded in forward_parts(learner, batch, *cut):
            outcome = _differentiate_part(learner, forwarded, reading if forwarded.counts else None)
            own += [(forwarded.number, outcome)] if forwarded.counts else []
            if outcome.trouble and not ranks.sharded:
                break
    except torch.OutOfMemoryError:
        if ranks.sharded:
            raise out_of_memory_in_sharded_pass(max(map(len, minibatch.microbatches))) from None
        own.append((len(minibatch.microbatches), _MicroBatchGradient(None, OUT_OF_MEMORY)))
    return ranks.gather_parts(own, _MicroBatchGradient)


def _differentiate_part(
    learner: Learner, forwarded: ForwardedPart, reading: MicroBatchVariance | None
) -> _MicroBatchGradient:
    """Backward of one part; with no force where something of it is not finite, or where it does not count."""
    algorithm, tokens = learner.algorithm, forwarded.tokens
    loss = algorithm.objective(tokens)
    trouble = _non_finite_in_update(tokens, loss)
    if trouble or not forwarded.counts:
        if learner.runtime.ranks.sharded:  # the others wait for this backward
            backward_through_network(forwarded.scores, tuple(map(torch.zeros_like, forwarded.scores)))
        return _MicroBatchGradient(None, trouble)
    push = torch.autograd.grad(loss.parts["policy"], tokens.logp, retain_graph=True)[0]
    forces = forces_by_backward(loss, tokens)
    with nullcontext() if reading is None else reading.part():
        backward_through_network(forwarded.scores, forces)
    moved = masked.total(algorithm.step_rule.divergence(tokens.logp.detach(), tokens.old_logp), tokens.mask)
    losses = {name: float(part.detach()) for name, part in loss.parts.items()}
    soft = algorithm.objective.soft_advantage(tokens).detach()
    detached = replace(join_tokens([tokens]), whole=None)
    return _MicroBatchGradient(GradientPart(forwarded.rows, detached, losses, soft, push, moved), "")


def _numbered_squares(reading: MicroBatchVariance, ranks: Ranks) -> list[tuple[int, Tensor]]:
    """‖g_i‖² of this rank's parts, with the numbers of the parts in the minibatch: they are dealt in turn."""
    return [(ranks.rank + own * ranks.count, square) for own, square in enumerate(reading.squares)]


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
    report: UpdateReport, parts: Sequence[GradientPart], learner: Learner, minibatch: Minibatch
) -> None:
    """Report a minibatch's parts, once."""
    objective = learner.algorithm.objective
    for number, (rows, detached, losses, soft, push, _) in enumerate(parts):
        for name, loss in losses.items():
            summed = report.losses.setdefault(name, [])
            if number == 0:
                summed.append(0.0)
            summed[-1] += loss
        if minibatch.epoch == 0:
            objective.observe(detached)
        free = -detached.share * importance_ratio(detached.logp - detached.old_logp) * soft
        free = free if detached.importance is None else free * detached.importance
        weight = torch.where(free != 0, push / free, 1.0)
        report.last_epoch.append(StepTokenForces(rows, detached.logp, detached.entropy, push, weight))
        if minibatch.epoch == 0 and minibatch.index == 0:
            report.first.append(report.last_epoch[-1])


def non_finite_input_of_update(batch: RolloutBatch, rows: Tensor) -> str:
    """What is not finite in a minibatch's rows of a batch, the cause before its consequences; or ""."""
    mask = batch.experience.mask[rows]
    for name, found in batch.readings().items():
        if bool((mask & ~torch.isfinite(found[rows])).any()):
            return name
    return ""

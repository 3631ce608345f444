"""Where a NaN or an infinity of a minibatch came from: the first link of the chain that is broken."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tvo_cli.replay.minibatch_forces import MicroBatchForces, forces_of_minibatch, leave_learner_unchanged
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.run_settings import InnerLoopSettings
from tvo_cli.training.update.backward import backward_through_network, forces_by_backward
from tvo_cli.training.update.learner import Learner
from tvo_cli.training.update.minibatch_forward import forward_parts
from tvo_cli.training.update.minibatch_gradient import non_finite_input_of_update
from tvo_cli.training.update.minibatches import Minibatch


@dataclass(frozen=True, slots=True)
class NonFiniteSource:
    """Where a value that is not finite came in: the first broken link of reward, log-prob, ratio, loss, gradient."""

    what: str  # reward, log-prob, ratio, loss part, force, gradient …
    row: int  # −1: no single response
    position: int  # −1: the whole response
    detail: str


def find_non_finite(
    learner: Learner, batch: RolloutBatch, minibatch: Minibatch, passes: InnerLoopSettings
) -> list[NonFiniteSource]:
    """What is not finite in a minibatch, followed back to its cause; empty when everything is."""
    rows = minibatch.rows
    if what := non_finite_input_of_update(batch, rows):
        return _non_finite_in_batch(batch, rows, what)
    with leave_learner_unchanged(learner):
        pieces = forces_of_minibatch(learner, batch, minibatch, passes)
        found = [trouble for piece in pieces for trouble in _non_finite_in_tokens(learner, piece)]
        return found or _non_finite_in_gradient(learner, batch, minibatch, passes)


def _non_finite_in_batch(batch: RolloutBatch, rows: Tensor, what: str) -> list[NonFiniteSource]:
    experience = batch.experience
    if what == "reward":
        values = experience.rewards[rows].tolist()
        broken = (~torch.isfinite(experience.rewards[rows])).nonzero().flatten().tolist()
        return [NonFiniteSource(what, int(rows[i]), -1, f"the reward is {values[i]}") for i in broken]
    return _non_finite_entries(what, batch.readings()[what], experience.mask, rows)


def _non_finite_entries(what: str, values: Tensor, mask: Tensor, rows: Tensor) -> list[NonFiniteSource]:
    broken = (mask[rows] & ~torch.isfinite(values[rows])).nonzero().tolist()
    return [NonFiniteSource(what, int(rows[i]), t, f"it is {float(values[rows[i], t])}") for i, t in broken]


def _non_finite_in_tokens(learner: Learner, piece: MicroBatchForces) -> list[NonFiniteSource]:
    """Links of the chain log π → ratio → loss → force, the first broken one."""
    tokens, everyone = piece.tokens, torch.arange(len(piece.rows))
    with torch.no_grad():
        ratio = torch.where(tokens.mask, tokens.logp - tokens.old_logp, 0.0).exp()
        parts = learner.algorithm.objective(tokens).parts
    links = {"log-prob": tokens.logp.detach(), "ratio": ratio}
    links |= {
        f"force on {name}": f for name, f in zip(("log-prob", "entropy", "collision", "nucleus entropy"), piece.forces)
    }
    for what, values in links.items():
        if found := _non_finite_entries(what, values, tokens.mask, everyone):
            return [NonFiniteSource(what, int(piece.rows[one.row]), one.position, one.detail) for one in found]
    broken = [name for name, part in parts.items() if not bool(torch.isfinite(part))]
    return [NonFiniteSource(f"loss part {name}", -1, -1, f"it is {float(parts[name].detach())}") for name in broken]


def _non_finite_in_gradient(
    learner: Learner, batch: RolloutBatch, minibatch: Minibatch, passes: InnerLoopSettings
) -> list[NonFiniteSource]:
    """Every force is finite and the gradient is not: which response's, and in which parameter first."""
    found = []
    alone = [row[None] for row in minibatch.rows]
    parts = forward_parts(learner, batch, alone, passes.temperature, minibatch.seed)
    for row, part in zip(minibatch.rows.tolist(), parts):
        learner.optimizer.zero_grad(set_to_none=True)
        forces = forces_by_backward(learner.algorithm.objective(part.tokens), part.tokens)
        backward_through_network(part.scores, forces)
        for name, parameter in learner.policy.network.named_parameters():
            if parameter.grad is not None and not bool(torch.isfinite(parameter.grad).all()):
                found.append(NonFiniteSource("gradient", row, -1, f"first in {name}"))
                break
    return found

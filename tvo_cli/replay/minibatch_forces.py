"""The forces ∂L/∂s on the tokens of a minibatch, taken without changing the learner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from tvo_cli.training import rng
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.run_settings import InnerLoopSettings
from tvo_cli.training.update.backward import backward_through_network, forces_by_backward
from tvo_cli.training.update.learner import Learner
from tvo_cli.training.update.minibatch_forward import forward_parts
from tvo_cli.training.update.minibatches import Minibatch
from tvo_cli.types import Tokens


@dataclass(slots=True)
class MicroBatchForces:
    """Tokens and forces of one micro-batch."""

    rows: Tensor
    tokens: Tokens
    forces: tuple[Tensor, ...]


@contextmanager
def leave_learner_unchanged(learner: Learner) -> Iterator[None]:
    """While a replay takes forces: weights and random states are afterwards as before, no gradients are left."""
    weights, drawn = [p.detach().clone() for p in learner.parameters], rng.rng_state()
    learner.optimizer.zero_grad(set_to_none=True)
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, value in zip(learner.parameters, weights):
                parameter.copy_(value)
        learner.optimizer.zero_grad(set_to_none=True)
        rng.set_rng_state(drawn)


def forces_of_minibatch(
    learner: Learner, batch: RolloutBatch, minibatch: Minibatch, passes: InnerLoopSettings
) -> list[MicroBatchForces]:
    """The minibatch's gradient into .grad; tokens and forces of each part."""
    pieces = []
    for part in forward_parts(learner, batch, minibatch.microbatches, passes.temperature, minibatch.seed):
        forces = forces_by_backward(learner.algorithm.objective(part.tokens), part.tokens)
        backward_through_network(part.scores, forces)
        pieces.append(MicroBatchForces(part.rows, part.tokens, forces))
    return pieces

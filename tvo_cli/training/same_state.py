"""Whether all ranks are in the same state: digests of what moves, compared after every batch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

import torch
from torch import Tensor

from tvo_cli.checkpoint.sharded_parameters import is_sharded
from tvo_cli.training import rng
from tvo_cli.training.session import Session

TURNS = 8  # batches in which every tensor of the weights has been looked at once


def check_same_state(session: Session) -> None:
    """Refuse to go on where a rank has drifted from rank 0.

    Raises:
        UserError: naming the rank and what differs.
    """
    ranks, every = session.ranks, session.limits.ranks_checked_every
    if ranks.count == 1 or not every or session.counters.step % every:
        return
    turn = session.counters.step // every % TURNS
    whole = [tensor for tensor in session.learner.parameters if not is_sharded(tensor)]  # shards differ
    weights = [tensor for number, tensor in enumerate(whole) if number % TURNS == turn]
    state = {name: state_digest(found) for name, found in session.moving_state().items()}
    ranks.check_same(
        state | {"weights": state_bits_sum(weights), "random generators": state_bits_sum(rng.rng_state().values())}
    )


def state_digest(found: object) -> str:
    """The first 16 letters of the sha256 of a record as JSON."""
    text = json.dumps(found, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@torch.no_grad()
def state_bits_sum(tensors: Iterable[Tensor]) -> str:
    """The sum of all bits as integers, exact and the same in any order: a flipped bit changes it."""
    return str([int(_bits_as_integers(tensor).sum(dtype=torch.int64)) for tensor in tensors])


def _bits_as_integers(tensor: Tensor) -> Tensor:
    """The bits of a tensor, whose digest ranks compare."""
    sizes = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    return tensor.detach().contiguous().view(sizes[tensor.element_size()])

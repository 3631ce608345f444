"""The forward of a minibatch: scored part by part, and, where a statistic needs it, as a whole first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.update.learner import Learner
from tvo_cli.training.update.out_of_memory import within_memory_of_all_ranks
from tvo_cli.types import Tokens


class ForwardedPart(NamedTuple):
    """A part of a minibatch after its forward."""

    number: int  # of the forward, in the minibatch
    rows: Tensor
    tokens: Tokens  # what the objective sees
    scores: tuple[Tensor, ...]  # to go back through
    counts: bool = True  # False: only for the other ranks, which cannot pass without this one


def forward_parts(
    learner: Learner, batch: RolloutBatch, parts: Sequence[Tensor], temperature: float, seed: int, passes: int = 1
) -> Iterator[ForwardedPart]:
    """Every part of a minibatch that is this rank's, scored when its turn comes, in so many forwards.

    Where the objective reads the minibatch and it is cut, all parts are scored once more beforehand, without
    gradient: the price of weights that no split can change (docs/decisions/minibatch-statistics.md).
    """
    pieces = [piece for part in parts for piece in part.tensor_split(passes)]
    shares = _reduction_shares_of_forward(learner, batch, pieces)
    reads = learner.algorithm.objective.reads.get("minibatch", False) and len(pieces) > 1
    whole = replace(forward_whole_minibatch(learner, batch, pieces, temperature), seed=seed) if reads else None
    begins = [0, *accumulate(map(len, pieces))]
    for part, counts in learner.runtime.ranks.turns(len(parts)):
        for number in range(part * passes, (part + 1) * passes):
            tokens, scores = forward_rows(learner, batch, pieces[number], shares[number], temperature)
            tokens = replace(tokens, whole=whole, start=begins[number], seed=seed)
            yield ForwardedPart(number, pieces[number], tokens, scores, counts)


@torch.no_grad()
def forward_whole_minibatch(
    learner: Learner, batch: RolloutBatch, parts: Sequence[Tensor], temperature: float
) -> Tokens:
    """All parts, scored one after the other without gradient, as one."""
    ranks, shares = learner.runtime.ranks, _reduction_shares_of_forward(learner, batch, parts)

    def forward_own() -> list[tuple[int, Tokens]]:
        own = []
        for number, counts in ranks.turns(len(parts)):
            tokens = join_tokens([forward_rows(learner, batch, parts[number], shares[number], temperature)[0]])
            own += [(number, tokens)] if counts else []
        return own

    return join_tokens(ranks.gather_parts(within_memory_of_all_ranks(ranks, forward_own, max(map(len, parts))), Tokens))


def _reduction_shares_of_forward(learner: Learner, batch: RolloutBatch, parts: Sequence[Tensor]) -> tuple[Tensor, ...]:
    mask = batch.counted[torch.cat(list(parts))]
    shares: tuple[Tensor, ...] = learner.algorithm.objective.reduce(mask).split([len(part) for part in parts])
    return shares


def join_tokens(parts: Sequence[Tokens]) -> Tokens:
    """The rows of all parts in order, without gradients."""
    columns: dict[str, Any] = {}
    for field in fields(Tokens):
        found = [getattr(part, field.name) for part in parts]
        if isinstance(found[0], Tensor):
            columns[field.name] = torch.cat([column.detach() for column in found])
    return replace(parts[0], **columns)


def forward_rows(
    learner: Learner, batch: RolloutBatch, rows: Tensor, share: Tensor, temperature: float
) -> tuple[Tokens, tuple[Tensor, ...]]:
    """Score the rows; the objective sees leaves, so that the force on every token is known before the network's."""
    experience = batch.experience
    scores, nucleus_entropy, covariance = learner.score(batch, rows, temperature)
    used = tuple(scores) if nucleus_entropy is None else (*scores, nucleus_entropy)
    leaves = tuple(score.detach().requires_grad_() for score in used)
    tokens = Tokens(
        *(leaves[0], experience.old_logp[rows], leaves[1], leaves[2]),
        advantage=batch.advantage.values[rows],
        mask=experience.mask[rows],
        share=share,
        scale=batch.advantage.scale,
        ref_logp=_forward_minibatch_rows_or_none(experience.ref_logp, rows),
        old_entropy=_forward_minibatch_rows_or_none(experience.old_entropy, rows),
        covariance=covariance,
        nucleus_entropy=leaves[3] if len(leaves) > 3 else None,
        importance=_forward_minibatch_rows_or_none(batch.importance, rows),
    )
    return tokens, used


def _forward_minibatch_rows_or_none(column: Tensor | None, rows: Tensor) -> Tensor | None:
    return None if column is None else column[rows]

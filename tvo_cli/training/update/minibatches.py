"""How a rollout batch is cut into minibatches and micro-batches of whole prompts, and those into halves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tvo_cli.memory.microbatch_rows import variance_parts
from tvo_cli.training.rng import rng_from_names


@dataclass(frozen=True, slots=True)
class Minibatch:
    """Rows of one optimiser step, and the micro-batches they are forwarded in."""

    epoch: int
    index: int
    rows: Tensor  # int64, whole groups, groups adjacent
    parts: tuple[Tensor, ...]  # the same rows, in order, cut between groups
    seed: int  # for methods that choose tokens at random
    measured: bool = False  # whether the gradient variance is read from its parts


def cut_into_minibatches(
    group: Tensor,
    *,
    epochs: int,
    count: int,
    microbatch_rows: int,
    variance_parts: int,
    seed: int,
    step: int,
    ranks: int = 1,
) -> Iterator[Minibatch]:
    """The minibatches of a rollout batch: `epochs` passes over `count` minibatches of whole prompts.

    The first minibatch, where π_θ = π_old, is cut into equal parts for the gradient-variance reading, as many for each
    of the ranks where that is possible.
    """
    prompts = int(group.max()) + 1
    rows_of = [torch.nonzero(group == p).flatten() for p in range(prompts)]
    for epoch in range(epochs):
        order = torch.randperm(prompts, generator=rng_from_names(seed, "minibatch", step, epoch)).tolist()
        for index in range(count):
            chosen = [rows_of[p] for p in order[prompts * index // count : prompts * (index + 1) // count]]
            first = epoch == 0 and index == 0
            parts = (
                _cut_into_equal_microbatches(chosen, variance_parts, microbatch_rows, ranks)
                if first
                else _microbatches_up_to(chosen, microbatch_rows)
            )
            pieces_seed = rng_from_names(seed, "lots", step, epoch, index).initial_seed()
            yield Minibatch(epoch, index, torch.cat(chosen), parts, pieces_seed, measured=first and len(parts) > 1)


def _cut_into_equal_microbatches(groups: list[Tensor], most: int, rows: int, ranks: int) -> tuple[Tensor, ...]:
    """As many parts of equally many prompts as divide evenly, at most `most`; more where `rows` bounds a part."""
    size = len(groups) // variance_parts(len(groups), max(map(len, groups)), most, rows, ranks)
    return tuple(torch.cat(groups[i : i + size]) for i in range(0, len(groups), size))


def _microbatches_up_to(groups: list[Tensor], rows: int) -> tuple[Tensor, ...]:
    """Consecutive groups up to `rows` rows a part; 0: all in one."""
    parts: list[list[Tensor]] = [[]]
    for one in groups:
        if rows and parts[-1] and sum(map(len, parts[-1])) + len(one) > rows:
            parts.append([])
        parts[-1].append(one)
    return tuple(torch.cat(part) for part in parts)


def halve_microbatches(minibatch: Minibatch, group: Tensor) -> Minibatch:
    """The minibatch with every part cut in two, between prompts where it has several.

    The variance reading stays where its parts are still of equally many whole prompts; else it is left out.
    """
    prompts = [_rows_by_prompt(part, group) for part in minibatch.parts]
    if minibatch.measured and len({len(one) for one in prompts}) == 1 and len(prompts[0]) > 1:
        pieces = _smallest_divisor(len(prompts[0]))
        size = len(prompts[0]) // pieces
        parts = [torch.cat(one[i : i + size]) for one in prompts for i in range(0, len(one), size)]
        return replace(minibatch, parts=tuple(parts))
    halves = [half for part, one in zip(minibatch.parts, prompts) for half in _two_halves(part, one)]
    return replace(minibatch, parts=tuple(halves), measured=False)


def _rows_by_prompt(part: Tensor, group: Tensor) -> tuple[Tensor, ...]:
    """The rows of a part, cut at prompts."""
    counts = torch.unique_consecutive(group[part], return_counts=True)[1]
    return tuple(part.split(counts.tolist()))


def _two_halves(part: Tensor, prompts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Two halves of a part; one response stays as it is."""
    if len(prompts) == 1:
        return tuple(part.split(-(-len(part) // 2)))
    middle = -(-len(prompts) // 2)
    return torch.cat(prompts[:middle]), torch.cat(prompts[middle:])


def _smallest_divisor(number: int) -> int:
    """The smallest divisor above 1: into so many parts a micro-batch that was out of memory is cut."""
    return next(n for n in range(2, number + 1) if number % n == 0)

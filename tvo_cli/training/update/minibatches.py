"""How a rollout batch is cut into minibatches and micro-batches, of whole prompts where they fit, and into halves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tvo_cli.memory.microbatch_rows import passes_within, reads_variance, shared_rows, variance_parts
from tvo_cli.training.rng import rng_from_names


@dataclass(frozen=True, slots=True)
class Minibatch:
    """Rows of one optimiser step, and the parts they are cut into: micro-batches, or several of them each."""

    epoch: int
    index: int
    rows: Tensor  # int64, whole groups, groups adjacent
    parts: tuple[Tensor, ...]  # the same rows, in order
    seed: int  # for methods that choose tokens at random
    measured: bool = False  # whether the gradient variance is read from its parts
    passes: int = 1  # micro-batches that each part is forwarded in; above 1 only where it is measured

    @property
    def microbatches(self) -> tuple[Tensor, ...]:
        """The rows of every forward, in order."""
        return tuple(rows for part in self.parts for rows in part.tensor_split(self.passes))


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
    parted_variance: bool = True,
) -> Iterator[Minibatch]:
    """The minibatches of a rollout batch: `epochs` passes over `count` minibatches of whole prompts.

    The first minibatch, where π_θ = π_old, is cut into equal parts for the gradient-variance reading, as many for each
    of the ranks where that is possible. No micro-batch has more than `microbatch_rows` rows; 0: no bound. Where a
    prompt has more, its responses are parted, and the variance is read of it if `parted_variance`.
    """
    cut = _PromptCut(variance_parts, microbatch_rows, shared_rows(microbatch_rows, len(group) // count, ranks), ranks)
    prompts = int(group.max()) + 1
    rows_of = [torch.nonzero(group == p).flatten() for p in range(prompts)]
    for epoch in range(epochs):
        order = torch.randperm(prompts, generator=rng_from_names(seed, "minibatch", step, epoch)).tolist()
        for index in range(count):
            chosen = [rows_of[p] for p in order[prompts * index // count : prompts * (index + 1) // count]]
            first = epoch == 0 and index == 0
            passes = cut.passes(chosen)
            equal = first and (passes == 1 or (parted_variance and reads_variance(len(chosen), variance_parts)))
            parts = cut.into_equal_parts(chosen) if equal else cut.up_to_the_bound(chosen)
            pieces_seed = rng_from_names(seed, "lots", step, epoch, index).initial_seed()
            measured = equal and len(parts) > 1
            yield Minibatch(epoch, index, torch.cat(chosen), parts, pieces_seed, measured, passes if measured else 1)


@dataclass(frozen=True, slots=True)
class _PromptCut:
    """How the prompts of a minibatch are cut into parts; a group: the rows of a prompt."""

    most: int  # parts for the variance
    bound: int  # rows of a micro-batch, at most; 0: no bound
    rows: int  # the same, and so few that every rank has some where prompts stay whole
    ranks: int

    def passes(self, groups: list[Tensor]) -> int:
        """Into how many micro-batches every group is parted."""
        return min(passes_within(self.bound, max(map(len, groups))), *map(len, groups))

    def into_equal_parts(self, groups: list[Tensor]) -> tuple[Tensor, ...]:
        """As many parts of equally many prompts as divide evenly, at most `most`; more where `rows` bounds a part."""
        size = len(groups) // variance_parts(len(groups), max(map(len, groups)), self.most, self.rows, self.ranks)
        return tuple(torch.cat(groups[i : i + size]) for i in range(0, len(groups), size))

    def up_to_the_bound(self, groups: list[Tensor]) -> tuple[Tensor, ...]:
        """Consecutive groups up to `rows` rows a part, and groups above the bound in several; 0: all in one."""
        pieces = [one for group in groups for one in group.tensor_split(passes_within(self.bound, len(group)))]
        parts: list[list[Tensor]] = [[]]
        for one in pieces:
            if self.rows and parts[-1] and sum(map(len, parts[-1])) + len(one) > self.rows:
                parts.append([])
            parts[-1].append(one)
        return tuple(torch.cat(part) for part in parts)


def halve_microbatches(minibatch: Minibatch, group: Tensor) -> Minibatch:
    """The minibatch with every micro-batch cut in two, between prompts where it has several.

    The variance reading stays where its parts are still of equally many whole prompts; else it is left out.
    """
    prompts = [_rows_by_prompt(part, group) for part in minibatch.microbatches]
    if minibatch.measured and len({len(one) for one in prompts}) == 1 and len(prompts[0]) > 1:
        pieces = _smallest_divisor(len(prompts[0]))
        size = len(prompts[0]) // pieces
        parts = [torch.cat(one[i : i + size]) for one in prompts for i in range(0, len(one), size)]
        return replace(minibatch, parts=tuple(parts))
    halves = [half for part, one in zip(minibatch.microbatches, prompts) for half in _two_halves(part, one)]
    return replace(minibatch, parts=tuple(halves), measured=False, passes=1)


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

"""Several processes that train one policy: the small is replicated, the large is shared out.

Every rank holds the whole graded batch, every scalar and every adaptive piece, and reaches every decision itself from
the same numbers. Shared out are sampling and grading (by prompts) and all passes (by micro-batches). What a rank
computed of its share goes to all, in the order in which one process would have had it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from tvo_cli.checkpoint.rank_group import run_on_every_rank
from tvo_cli.checkpoint.sharded_parameters import is_sharded
from tvo_cli.errors import UserError
from tvo_cli.parallel.messages import decode_message, encode_message

BUCKET = 2**23  # numbers of gradients that travel together
Item = TypeVar("Item")
Watched = Callable[[str], AbstractContextManager[Any]]


def _unwatched(what: str) -> AbstractContextManager[Any]:
    """The context of a collective among ranks where no watchdog bounds the wait."""
    return nullcontext()


def _untold(place: str) -> None:
    """What a rank tells of where it is where nobody watches: nothing."""
    return None


@dataclass(slots=True)
class Ranks:
    """This process among `count`; alone, every method is the identity and nothing is sent."""

    rank: int = 0
    count: int = 1
    sharded: bool = False  # weights are: a forward is then an appointment that all keep equally often
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    watched: Watched = _unwatched  # around every exchange: says which rank is missing (process_group.py)
    told: Callable[[str], object] = _untold  # where this rank is, for the messages of the others
    sharing: int = 1  # how many of them use the processors that this one uses
    program: str = "tvo"  # what starts all of them again: torchrun … -m tvo_cli
    step: int = 0
    update: int = 0  # of the step, from 1; 0: before the first

    @property
    def is_first(self) -> bool:
        """Whether this one writes what is written once."""
        return self.rank == 0

    def at(self, step: int, update: int) -> None:
        """Say where this rank is: what a message about a rank that is missing names."""
        self.step, self.update = step, update
        self.told(self.place)

    @property
    def place(self) -> str:
        """Where it is in the run, for people."""
        return f"update {self.update} of step {self.step}" if self.step else "the start"

    def block(self, items: Sequence[Item]) -> Sequence[Item]:
        """This rank's consecutive part of the items; sizes differ by one at most."""
        size = len(items)
        return items[size * self.rank // self.count : size * (self.rank + 1) // self.count]

    def turns(self, parts: int) -> Iterator[tuple[int, bool]]:
        """The numbers of this rank's micro-batches, which are dealt in turn, and whether each counts.

        Where weights are sharded and this rank has one fewer than others, it passes once more over number 0, in vain.
        """
        for first in range(0, parts, self.count):
            if first + self.rank < parts:
                yield first + self.rank, True
            elif self.sharded:
                yield 0, False

    def gather(self, own: Item, kind: Any) -> list[Item]:
        """What every rank has, of type `kind`, in the order of ranks and the same on all."""
        if self.count == 1:
            return [own]
        message = encode_message([own])
        with self.watched("gather"):
            sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.count)]
            dist.all_gather(sizes, torch.tensor([len(message)]))
            longest = max(int(size) for size in sizes)
            found = [torch.zeros(longest, dtype=torch.uint8) for _ in sizes]
            dist.all_gather(found, torch.nn.functional.pad(message, (0, longest - len(message))))
        return [decode_message(list[kind], one[: int(size)], self.device)[0] for one, size in zip(found, sizes)]

    def gather_results(self, work: Callable[[], Item], kind: Any) -> list[Item]:
        """What `work` gives on every rank; an error of one of them is raised on all.

        Where one rank alone met it, the others would wait for its share for ever.
        """
        return run_on_every_rank(self, work, kind)

    def gather_parts(self, own: Sequence[tuple[int, Item]], kind: Any) -> list[Item]:
        """Numbered parts of all ranks, in the order of their numbers."""
        if self.count == 1:
            return [part for _, part in own]
        numbers = self.gather([number for number, _ in own], list[int])
        parts = self.gather([part for _, part in own], list[kind])
        pairs = [pair for row in zip(numbers, parts) for pair in zip(*row)]
        return [part for _, part in sorted(pairs, key=lambda pair: pair[0])]

    def from_first(self, own: Item, kind: Any) -> Item:
        """What rank 0 has, of type `kind`."""
        if self.count == 1:
            return own
        message = encode_message([own]) if self.is_first else torch.zeros(0, dtype=torch.uint8)
        with self.watched("broadcast"):
            size = torch.tensor([len(message)])
            dist.broadcast(size, 0)
            message = message if self.is_first else torch.zeros(int(size), dtype=torch.uint8)
            dist.broadcast(message, 0)
        found: Item = own if self.is_first else decode_message(list[kind], message, self.device)[0]
        return found

    def largest(self, number: int) -> int:
        """The largest of all ranks' numbers."""
        if self.count == 1:
            return number
        found = torch.tensor([number])
        with self.watched("comparison"):
            dist.all_reduce(found, dist.ReduceOp.MAX)
        return int(found)

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Sum .grad over ranks; a parameter that some rank has not reached counts as zero there.

        One that no rank has reached keeps none, as in one process: an optimiser leaves it out.
        """
        if self.count == 1:
            return
        every = [parameter for parameter in parameters if not is_sharded(parameter)]  # FSDP has summed those
        reached = torch.tensor([parameter.grad is not None for parameter in every], dtype=torch.uint8)
        with self.watched("sum of the gradients"):
            dist.all_reduce(reached, dist.ReduceOp.MAX)
            for bucket in _buckets([p for p, used in zip(every, reached.tolist()) if used]):
                _sum_bucket(bucket)

    def run_on_first(self, work: Callable[[], Item], kind: Any) -> Item:
        """What `work` gives on rank 0, of type `kind`, on all; an error of it is raised on all.

        For what is written once: all ranks wait for it, and all know how it ended.
        """
        results: list[Any] = run_on_every_rank(self, lambda: work() if self.is_first else None, kind)
        return results[0]  # type: ignore[no-any-return]

    def check_same(self, facts: Mapping[str, str]) -> None:
        """Refuse to go on where another rank has other facts: name → digest.

        Raises:
            UserError: naming rank and fact.
        """
        if self.count == 1:
            return
        every = self.gather(dict(facts), dict[str, str])
        for rank, found in enumerate(every):
            for name in sorted({*every[0], *found}):
                if found.get(name) != every[0].get(name):
                    where = f"at step {self.step}: {found.get(name)}, rank 0: {every[0].get(name)}."
                    remedy = "Every host needs the same kind of processor, files and versions."
                    raise UserError("rank", rank, f"has another {name} than rank 0 {where}", remedy)


def _buckets(parameters: Sequence[Tensor]) -> list[list[Tensor]]:
    """Parameters in order, of one dtype and device and up to BUCKET numbers a bucket."""
    found: list[list[Tensor]] = []
    for parameter in parameters:
        last = found[-1] if found else []
        alike = bool(last) and (last[0].dtype, last[0].device) == (parameter.dtype, parameter.device)
        if alike and sum(one.numel() for one in last) + parameter.numel() <= BUCKET:
            last.append(parameter)
        else:
            found.append([parameter])
    return found


def _sum_bucket(bucket: Sequence[Tensor]) -> None:
    """Sum the gradients of some parameters over the ranks in one exchange."""
    flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in bucket])
    dist.all_reduce(flat)
    for parameter, part in zip(bucket, flat.split([p.numel() for p in bucket])):
        if parameter.grad is None:
            parameter.grad = part.view_as(parameter).clone()
        else:
            parameter.grad.copy_(part.view_as(parameter))

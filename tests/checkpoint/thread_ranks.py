"""Ranks of one process: threads that hand each other what processes would send, encoded as it is sent."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier
from typing import Any, TypeVar

import torch
from torch import Tensor

from tvo_cli.parallel.messages import decode_message, encode_message

Found = TypeVar("Found")
CPU = torch.device("cpu")
LONGEST = 60.0  # seconds that a rank waits for another in a test


class Killed(BaseException):
    """Ends a rank as a signal would: nothing of it is handed over."""


@dataclass(slots=True)
class ThreadRank:
    """One of the ranks."""

    rank: int
    count: int
    barrier: Barrier
    messages: dict[int, Tensor] = field(default_factory=dict)  # shared by all

    def gather(self, own: Any, kind: Any) -> list[Any]:
        """What every rank has, in their order."""
        self.messages[self.rank] = encode_message([own])
        self.barrier.wait(LONGEST)
        found = [decode_message(list[kind], self.messages[rank], CPU)[0] for rank in range(self.count)]
        self.barrier.wait(LONGEST)
        return found


def run_ranks(count: int, work: Callable[[ThreadRank], Found]) -> list[Found | BaseException]:
    """What `work` gives, or raises, on each rank."""
    ranks = [ThreadRank(rank, count, Barrier(count)) for rank in range(count)]
    for other in ranks[1:]:
        other.barrier, other.messages = ranks[0].barrier, ranks[0].messages

    def outcome(rank: ThreadRank) -> Found | BaseException:
        try:
            return work(rank)
        except Killed as error:
            rank.barrier.abort()
            return error
        except Exception as error:
            return error

    with ThreadPoolExecutor(count, thread_name_prefix="rank") as threads:
        return list(threads.map(outcome, ranks))


def results(found: list[Found | BaseException]) -> list[Found]:
    """What the ranks gave; the first error, where there is one."""
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return [one for one in found if not isinstance(one, BaseException)]

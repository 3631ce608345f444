"""The processes that write or read a checkpoint together: what is needed of them, and work that fails on all."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from tvo_cli.errors import UserError

Item = TypeVar("Item")


class RankGroup(Protocol):
    """What a checkpoint needs of its processes."""

    rank: int
    count: int

    def gather(self, own: Any, kind: Any) -> list[Any]:
        """What every process has, of type `kind`, in the order of ranks and the same on all."""


@dataclass(slots=True)
class OneProcess:
    """The group of a process that writes and reads checkpoints alone."""

    rank: int = 0
    count: int = 1

    def gather(self, own: Any, kind: Any) -> list[Any]:
        """Its own."""
        return [own]


ALONE = OneProcess()


class RankFailure(NamedTuple):
    """Why a rank's part of writing or reading a checkpoint failed, as it can be sent."""

    rank: int
    number: int  # of the operating system's errors; 0: it was none
    text: str
    file: str | None
    user_error: list[str] | None  # the parts of one

    @classmethod
    def of(cls, error: Exception, rank: int) -> RankFailure:
        """Of an exception."""
        parts = error.parts if isinstance(error, UserError) else None
        if isinstance(error, OSError):
            file = None if error.filename is None else str(error.filename)
            return cls(rank, error.errno or errno.EIO, error.strerror or str(error), file, parts)
        return cls(rank, 0, f"{type(error).__name__}: {error}", None, parts)

    def error(self) -> Exception:
        """The exception that every rank raises."""
        if self.user_error is not None:
            return UserError(*self.user_error)
        told = f"{self.text}, on rank {self.rank}"
        return OSError(self.number, told, self.file) if self.number else RuntimeError(told)


def run_on_every_rank(ranks: RankGroup, work: Callable[[], Item], kind: Any) -> list[Item]:
    """What `work` gives on every rank, of type `kind`, in their order; all wait for all.

    Raises:
        Exception: work failed on a rank: all raise the error of the first such.
    """
    kind = int if kind is None else kind  # nothing is asked for
    own, failure, error = _work_outcome(work, ranks.rank)
    if ranks.count == 1 and error is not None:
        raise error
    every = ranks.gather((own, failure), tuple[kind | None, RankFailure | None])
    failed: RankFailure | None = next((one for _, one in every if one is not None), None)
    if failed is not None:
        raise failed.error() from error
    return [result for result, _ in every]


def run_on_first_rank(ranks: RankGroup, work: Callable[[], object]) -> None:
    """Do something on rank 0, for which all wait; its error is raised on all."""

    def once() -> None:
        if ranks.rank == 0:
            work()

    run_on_every_rank(ranks, once, int)


def first_rank_of_each_host(ranks: RankGroup) -> set[int]:
    """The ranks that look at what a host has, once for all of its ranks."""
    hosts = ranks.gather(socket.gethostname(), str)
    return {hosts.index(host) for host in hosts}


def _work_outcome(work: Callable[[], Item], rank: int) -> tuple[Item | None, RankFailure | None, Exception | None]:
    """What a rank's part of writing or reading a checkpoint came to: its result, or its failure to be sent."""
    try:
        return work(), None, None
    except Exception as error:
        return None, RankFailure.of(error, rank), error

"""The processes of a run, connected: a store for words, a process group for tensors, and what is said when one is gone.

The store comes first: rank 0 composes the config and hands it to the others, so that all run the same one.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from tvo_cli.errors import UserError
from tvo_cli.parallel.launched_process import LaunchedProcess, rendezvous_variables
from tvo_cli.parallel.rank_lost import GOES_ON, RankLost
from tvo_cli.parallel.ranks import Ranks

COMPOSING = timedelta(minutes=10)  # that the others wait for rank 0's config
LEAVING = timedelta(seconds=30)  # that the others wait for rank 0's last words
DYING = 20  # tenths of a second in which a process is gone after its connections are
LESS_MEMORY = "Take fewer trainer.microbatch_rows, a smaller rollout.batch_size, or model.gradient_checkpointing=true."
CONFIG, END, SAID, SPEAKER = "config", "end", "said", "speaker"
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """This process's connection to the others of its run."""

    place: LaunchedProcess
    store: Any  # torch's, of words

    @classmethod
    def meet(cls, place: LaunchedProcess) -> ProcessGroup:
        """Find the other processes by the launcher's environment.

        Raises:
            UserError: rank 0 cannot be found.
        """
        os.environ.update(rendezvous_variables(place))
        try:
            store, _, _ = next(iter(rendezvous("env://", timeout=COMPOSING)))
        except (RuntimeError, OSError) as error:
            where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
            problem = "the processes did not all meet there" if place.leads else "rank 0 was not found there"
            raise UserError("MASTER_ADDR", where, f"{problem} ({error}).") from error
        group = cls(place, dist.PrefixStore("tvo", store))  # type: ignore[attr-defined]
        own = {"host": socket.gethostname(), "pid": os.getpid(), "processors": _processors_of_process()}
        group.store.set(f"process/{place.rank}", json.dumps(own))
        return group

    @classmethod
    def alone(cls) -> ProcessGroup:
        """A group of one, for weights that are kept elsewhere between their uses (parallel.offload)."""
        return cls(LaunchedProcess(), dist.HashStore())  # type: ignore[attr-defined]

    def send_config(self, message: Mapping[str, Any], *, if_none: bool = False) -> None:
        """Hand the others the config that they run, or the exit code with which nothing is run."""
        if not (if_none and self.store.check([CONFIG])):
            self.store.set(CONFIG, json.dumps(message))

    def tell_all_is_said(self) -> None:
        """Let the others leave: some launchers end rank 0 as soon as another process has."""
        self.store.set(SAID, "")

    def wait_until_all_is_said(self) -> bool:
        """Wait until rank 0 has said how the run ended; return whether it has, or is gone or in a longer call."""
        try:
            self.store.wait([SAID], LEAVING)
        except RuntimeError:
            return False
        return True

    def speaks_for_first(self) -> bool:
        """Whether this is the rank that says how the run ended, in the place of rank 0, which does not: one of them."""
        own = str(self.place.rank)
        try:
            return bool(self.store.compare_set(SPEAKER, "", own) == own.encode())
        except RuntimeError:  # the store is gone with rank 0
            return self.place.rank == 1

    def receive_config(self) -> dict[str, Any]:
        """What rank 0 has sent.

        Raises:
            RankLost: rank 0 has sent nothing, or is gone.
        """
        try:
            self.store.wait([CONFIG], COMPOSING)
            found: dict[str, Any] = json.loads(self.store.get(CONFIG))
        except RuntimeError as error:
            raise RankLost(0, "has sent no config.", "Its own output says why.") from error
        return found

    def introduce(self, facts: Mapping[str, str]) -> None:
        """Say what this process runs: name → digest of its code, versions, command line."""
        self.store.set(f"facts/{self.place.rank}", json.dumps(dict(facts)))

    def check_same_facts(self, own: Mapping[str, str]) -> None:
        """Refuse other code, versions or words on another rank.

        Raises:
            UserError: naming the rank, its host and what differs.
        """
        for rank in range(1, self.place.count):
            found = self._told_by(rank, "facts")
            for name in (name for name, value in own.items() if found.get(name) != value):
                host = self._process_of(rank).get("host")
                problem = f"on {host} has another {name} than rank 0 ({found.get(name)}; rank 0: {own[name]})."
                raise UserError("rank", rank, problem, "Install the same and give the same command on every host.")

    def run_on_every_rank(self, work: Callable[[], Item]) -> Item:
        """What `work` gives here, once it has gone well on all: for what can fail before the ranks are connected.

        Raises:
            Exception: it failed on a rank; on the others the UserError of the first such.
            RankLost: a rank does not say how it went.
        """
        failed: Exception | None = None
        try:
            found = work()
        except Exception as error:
            failed = error
        self.store.set(f"ready/{self.place.rank}", json.dumps(failed and _failed_start_parts(failed, self.place.rank)))
        told = [self._told_by(rank, "ready") for rank in range(self.place.count)]
        if parts := next(filter(None, told), None):
            raise failed or UserError(*parts)
        return found

    @contextmanager
    def joined(self, timeout: float, device: str, *, sharded: bool = False) -> Iterator[Ranks]:
        """The ranks, until the block ends; why it ended, where it failed, is told to the others first."""
        backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"
        place = self.place
        ranks = Ranks(place.rank, place.count, sharded, torch.device(device), program=place.program)
        ranks.sharing = self._ranks_on_same_processors()
        ranks.told = self._tell_place
        ranks.watched = lambda exchange: self._watched(exchange, ranks, timeout)
        if device.startswith("cuda"):
            torch.cuda.set_device(device)
        with ranks.watched("connection"):
            dist.init_process_group(
                backend,
                store=dist.PrefixStore("group", self.store),  # type: ignore[attr-defined]
                rank=place.rank,
                world_size=place.count,
                timeout=timedelta(seconds=timeout),
            )
        try:
            with self._watched_passes(ranks, timeout):
                yield ranks
        except BaseException as error:
            self.tell_end(error, ranks)
            raise
        finally:
            dist.destroy_process_group()

    def tell_end(self, error: BaseException, ranks: Ranks) -> None:
        """Leave the reason of this rank's end in the store, unless another has ended before it."""
        reason = f"ended in {ranks.place}: {str(error) or type(error).__name__}"
        told = RankLost(ranks.rank, reason, f"Its log: rank-{ranks.rank}.log. {_remedy_of_end(error)}".strip())
        lost = error if isinstance(error, RankLost) else told  # the rank that is missing, not the one that missed it
        end = {"rank": ranks.rank, "lost": [lost.value, lost.problem, lost.remedy]}
        with suppress(RuntimeError):  # rank 0, which may hold the store, is gone
            self.store.compare_set(END, "", json.dumps(end))

    def _tell_place(self, text: str) -> None:
        with suppress(RuntimeError):  # the exchange that follows says it better
            self.store.set(f"place/{self.place.rank}", text)

    @contextmanager
    def _watched(self, exchange: str, ranks: Ranks, timeout: float) -> Iterator[None]:
        try:
            yield
        except torch.OutOfMemoryError as error:  # nothing that is done again: the others are in the exchange
            problem = f"its GPU is out of memory in the {exchange} during {ranks.place}."
            raise UserError("rank", ranks.rank, problem, LESS_MEMORY) from error
        except RuntimeError as error:
            raise self._lost(exchange, ranks, timeout, str(error)) from error

    @contextmanager
    def _watched_passes(self, ranks: Ranks, timeout: float) -> Iterator[None]:
        """Around the whole run: what FSDP exchanges inside of a forward or backward is watched by nobody else."""
        try:
            yield
        except RuntimeError as error:
            if not isinstance(error, dist.DistError) and "/gloo/" not in str(error):
                raise
            raise self._lost("pass", ranks, timeout, str(error)) from error

    def _lost(self, exchange: str, ranks: Ranks, timeout: float, said: str) -> RankLost:
        """Which rank is missing and why, as far as anybody knows."""
        late = "imed out" in said or "imeout" in said
        try:
            end, gone = self._ended(ranks, 0 if late else DYING)
            behind = [rank for rank in range(ranks.count) if self._place_of(rank) != ranks.place]
        except (RuntimeError, ValueError):
            return RankLost(0, f"is gone during {ranks.place} ({exchange}).")
        if end is not None:
            return RankLost(*end)
        if gone:
            return RankLost(gone[0], f"was killed during {ranks.place} ({exchange}); out of memory, perhaps.")
        missing = ", ".join(f"{rank} (last in {self._place_of(rank)})" for rank in behind) or "another"
        if late:
            problem = f"no answer for {timeout:g} s during {ranks.place} ({exchange})."
            return RankLost(missing, problem, f"parallel.timeout sets how long a rank waits. {GOES_ON}")
        return RankLost(missing, f"the connection broke during {ranks.place} ({exchange}): {said}.")

    def _ended(self, ranks: Ranks, moments: int) -> tuple[list[str] | None, list[int]]:
        """What another rank has said at its end, and whose process is gone; neither is there at once."""
        for moment in range(moments + 1):
            time.sleep(0.1 if moment else 0.0)
            end: dict[str, Any] = json.loads(self.store.get(END)) if self.store.check([END]) else {"rank": ranks.rank}
            lost: list[str] | None = end["lost"] if end["rank"] != ranks.rank else None
            gone = [rank for rank in range(ranks.count) if rank != ranks.rank and not self._lives(rank)]
            if gone or lost:
                break
        return lost, gone

    def _told_by(self, rank: int, what: str) -> Any:
        """What a rank has put into the store.

        Raises:
            RankLost: it has put nothing there.
        """
        try:
            self.store.wait([f"{what}/{rank}"], COMPOSING)
            return json.loads(self.store.get(f"{what}/{rank}"))
        except RuntimeError as error:
            raise RankLost(rank, "does not answer at the start.", "Its own output says why.") from error

    def _place_of(self, rank: int) -> str:
        name = f"place/{rank}"
        return str(self.store.get(name).decode()) if self.store.check([name]) else "the start"

    def _process_of(self, rank: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.store.get(f"process/{rank}"))
        return found

    def _ranks_on_same_processors(self) -> int:
        """This one included; srun may have bound each to some of its own."""
        if self.place.count == 1:
            return 1
        every = [self._told_by(rank, "process") for rank in range(self.place.count)]
        alike = [(one["host"], one["processors"]) for one in every]
        return alike.count(alike[self.place.rank])

    def _lives(self, rank: int) -> bool:
        """Whether a rank's process is there; one of another machine counts as living."""
        process = self._process_of(rank)
        if process["host"] != socket.gethostname():
            return True
        try:
            status = Path(f"/proc/{process['pid']}/stat").read_text(encoding="utf-8")
        except OSError:
            return not Path("/proc/self/stat").exists()
        return status.rpartition(")")[2].split()[0] not in "ZX"


def _remedy_of_end(error: BaseException) -> str:
    """What the other ranks say to do about an end: the same command goes on only where it would not end so again."""
    if isinstance(error, torch.OutOfMemoryError):
        return LESS_MEMORY
    return "" if isinstance(error, UserError) else GOES_ON  # its text says itself what to do


def _processors_of_process() -> list[int]:
    """The processors that the group's processes may share out; none where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _failed_start_parts(error: Exception, rank: int) -> list[str]:
    """An error of a rank before the group is connected, as its store carries it to the others, which raise it."""
    if isinstance(error, UserError):
        return error.parts
    return ["rank", str(rank), f"could not begin: {type(error).__name__}: {error}.", ""]

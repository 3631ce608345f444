"""Weights through a process group: the trainer is its rank 0, and the servers' workers are the others.

vLLM's routes for weight transfer say who joins, what comes and when it is over; the tensors are broadcast one by one in
the order in which they were named. NCCL: nccl_group.py.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from tvo_cli.errors import UserError
from tvo_cli.rollout.server_client import ServerCall, ServerClient
from tvo_cli.rollout.weight_transfer.weight_transport import dtype_name, in_background

JOIN, START, UPDATE, FINISH = (
    *("/init_weight_transfer_engine", "/start_weight_update", "/update_weights", "/finish_weight_update"),
)
IN_FLIGHT = 8  # tensors that are sent and not yet received
LOOK = 1e-4  # seconds between two looks at what is under way
GRACE = 2.0  # seconds in which a server may say why the connection to it broke


class Work(Protocol):
    """A broadcast under way, as torch.distributed has it."""

    def is_completed(self) -> bool:
        """Whether it is over, or has failed."""

    def wait(self) -> Any:
        """Raise what it failed by."""


class SendersGroup(Protocol):
    """A process group as its rank 0, who sends, sees it."""

    def address(self) -> dict[str, Any]:
        """What a server is told to find it: fields of vLLM's `init_info`."""

    def meet(self) -> None:
        """Wait for the others, and take part in the sum of one element by which all try the connection."""

    def broadcast(self, tensor: Tensor) -> Work:
        """Begin to send a tensor to the others."""

    def abort(self) -> None:
        """Part from the others, whatever is under way."""


class _Answers(NamedTuple):
    """What the servers say of what is sent to them, and until when it must have come."""

    heard: Future[Any]
    timeout: float  # seconds
    until: float
    about: str


@dataclass(slots=True)
class GroupTransport:
    """Broadcasts weights to all workers of all servers at once.

    Nothing is asked twice: what a server did with the first half of an exchange cannot be known.
    """

    backend: str  # as vLLM's --weight-transfer-config names it
    device: torch.device  # from which is sent
    open_group: Callable[[int, float], SendersGroup]  # of its size and time-out
    _group: SendersGroup | None = field(default=None, init=False)

    def send(self, client: ServerClient, weights: Mapping[str, Tensor], about: str) -> None:
        """Tell the servers what comes, broadcast it while they listen, and have them finish."""
        group = self._group = self._group or self._open(client, about)
        client.at_all(START, {}, about, repeats=False)
        told = {"update_info": _description(weights)}
        heard = in_background(lambda: client.at_all(UPDATE, told, about, repeats=False))
        try:
            answers = _Answers(heard, client.timeout, time.monotonic() + client.timeout, about)
            self._broadcast(group, weights, answers)
            heard.result()
        except BaseException:
            self.close()
            raise
        client.at_all(FINISH, {}, about, repeats=False)

    def close(self) -> None:
        """Leave the group."""
        group, self._group = self._group, None
        if group is not None:
            group.abort()

    def _open(self, client: ServerClient, about: str) -> SendersGroup:
        """A group that every worker of every server has joined."""
        sizes = [int(answer["world_size"]) for answer in client.at_all("/get_world_size", None, about)]
        group = self.open_group(1 + sum(sizes), client.timeout)
        try:
            self._meet(group, client, sizes, about)
        except BaseException:
            group.abort()
            raise
        return group

    def _meet(self, group: SendersGroup, client: ServerClient, sizes: Sequence[int], about: str) -> None:
        met = in_background(group.meet)
        shared = group.address() | {"world_size": 1 + sum(sizes), "packed": False}
        calls = [
            ServerCall(url, JOIN, {"init_info": shared | {"rank_offset": first}}, about, repeats=False)
            for url, first in zip(client.urls, accumulate(sizes, initial=1))
        ]
        joined = in_background(lambda: client.run(calls, lambda *_: None))
        over = wait((joined, met), client.timeout + GRACE, FIRST_EXCEPTION).done
        try:
            for one in (joined, met):  # what a server says comes first
                if one in over:
                    one.result()
        except UserError as error:
            remedy = f'{error.remedy} Start it with --weight-transfer-config \'{{"backend": "{self.backend}"}}\'.'
            raise UserError(error.key, error.value, error.problem, remedy.strip()) from error
        except RuntimeError as error:
            raise self._broken(error, about) from error
        if len(over) < 2:
            raise self._late(client.timeout, about)

    def _broadcast(self, group: SendersGroup, weights: Mapping[str, Tensor], answers: _Answers) -> None:
        """Send the tensors in order, a few at a time, while no server has answered that something is wrong."""
        sent = deque[tuple[Work, Tensor]]()  # a tensor stays until it is received
        for tensor in weights.values():
            whole = tensor.detach().to(self.device).contiguous()
            sent.append((group.broadcast(whole), whole))
            if len(sent) >= IN_FLIGHT:
                self._await_receipt(sent.popleft()[0], answers)
        while sent:
            self._await_receipt(sent.popleft()[0], answers)

    def _await_receipt(self, work: Work, answers: _Answers) -> None:
        """Wait until a tensor is received; no longer than for a server that has given up, or the time-out."""
        while not work.is_completed():
            if answers.heard.done():
                answers.heard.result()
            if time.monotonic() > answers.until:
                raise self._late(answers.timeout, answers.about)
            time.sleep(LOOK)
        try:
            work.wait()
        except RuntimeError as error:
            with suppress(TimeoutError):
                answers.heard.result(GRACE)
            raise self._broken(error, answers.about) from error

    def _late(self, timeout: float, about: str) -> UserError:
        problem = f"{about}: the servers have not received the weights within {timeout:g} s."
        return UserError("rollout.timeout", f"{timeout:g}", problem, "Look into the servers' logs.")

    def _broken(self, error: RuntimeError, about: str) -> UserError:
        said = str(error).strip().splitlines() or [type(error).__name__]
        problem = f"{about}: the connection to the servers broke ({said[0]})."
        return UserError("rollout.weights", self.backend, problem, "Look into the servers' logs.")


def _description(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Names, dtypes and shapes of what the group is sent, in order."""
    return {
        "names": list(weights),
        "dtype_names": [dtype_name(tensor) for tensor in weights.values()],
        "shapes": [list(tensor.shape) for tensor in weights.values()],
    }

"""Weight transports: from the trainer's memory to that of the servers' workers, without a file between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Protocol, TypeVar

from torch import Tensor

from tvo_cli.rollout.server_client import ServerClient

T = TypeVar("T")


class WeightTransport(Protocol):
    """Sends tensors to all workers of all servers."""

    def send(self, client: ServerClient, weights: Mapping[str, Tensor], about: str) -> None:
        """Send all weights, by the names of the hub format, and return when every server has loaded them.

        Raises:
            UserError: a server did not, or not within the client's time-out.
        """

    def close(self) -> None:
        """Part from the servers, whatever is under way."""


def dtype_name(tensor: Tensor) -> str:
    """A tensor's dtype as servers name it: float32, bfloat16."""
    return str(tensor.dtype).removeprefix("torch.")


def in_background(call: Callable[[], T]) -> Future[T]:
    """For a transport, make a call in a thread that does not keep the process from ending; its result, or its error."""
    future = Future[T]()

    def make() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # whoever asks for the result raises it
            future.set_exception(error)

    threading.Thread(target=make, daemon=True).start()
    return future

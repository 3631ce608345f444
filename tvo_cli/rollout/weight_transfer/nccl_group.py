"""The senders' process group over NCCL, for a trainer in whose environment there is no vLLM.

A server finds it by the unique id of its communicator, which goes to it over HTTP as text. Not run here: there was no
GPU.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

UNIQUE_ID = "0"  # the key under which torch keeps the id of a group's first communicator in its store
LOOK = 1e-3  # seconds between two looks whether the others have come
HANDLING = "TORCH_NCCL_ASYNC_ERROR_HANDLING"


@dataclass(slots=True)
class NcclGroup:
    """A group of this process, as rank 0, and of `size` − 1 workers of servers."""

    size: int
    timeout: float  # seconds
    device: torch.device
    _store: Any = field(init=False)
    _group: Any = field(init=False)

    def __post_init__(self) -> None:
        wait = timedelta(seconds=self.timeout)
        store: Any = dist.TCPStore  # type: ignore[attr-defined]
        self._store = store("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=wait)
        options = dist.ProcessGroupNCCL.Options()
        options._timeout = 2 * wait  # GroupTransport gives up before
        with _faults_told():
            self._group = dist.ProcessGroupNCCL(self._store, 0, self.size, options)

    def address(self) -> dict[str, Any]:
        """The unique id, once `meet` has made it."""
        return {"nccl_unique_id_b64": base64.b64encode(self._store.get(UNIQUE_ID)).decode("ascii")}

    def meet(self) -> None:
        """The sum of one element that a worker's communicator begins with."""
        with torch.cuda.device(self.device):
            work = self._group.allreduce([torch.zeros(1, device=self.device)])
            while not work.is_completed():
                time.sleep(LOOK)
            work.wait()

    def broadcast(self, tensor: Tensor) -> Any:
        """Begin to send a tensor of this group's device."""
        options = dist.BroadcastOptions()
        options.rootRank = 0
        with torch.cuda.device(self.device):
            return self._group.broadcast([tensor], options)

    def abort(self) -> None:
        """End the communicator without the others' consent, who may be gone."""
        self._group.abort()


@contextmanager
def _faults_told() -> Iterator[None]:
    """Have a group that is made inside report a lost peer to who asks, where torch by default ends the process."""
    before = os.environ.get(HANDLING)
    os.environ[HANDLING] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[HANDLING]
        else:
            os.environ[HANDLING] = before

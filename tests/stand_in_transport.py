"""Both ends of a weight transport on a CPU: gloo in the place of NCCL, a mapped file in that of a GPU's memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from tvo_cli.rollout.weight_transfer import gpu_transports
from tvo_cli.rollout.weight_transfer.group_transport import GroupTransport
from tvo_cli.rollout.weight_transfer.shared_memory_transport import SharedMemoryTransport
from tvo_cli.rollout.weight_transfer.weight_transport import WeightTransport

CPU = torch.device("cpu")
Json = dict[str, Any]
WAITS = 10.0  # seconds; a group that is let go of waits so long for what it sends
STORE: Any = dist.TCPStore  # type: ignore[attr-defined]
LEFT: list[Any] = []  # groups that nobody waits for


@dataclass
class GlooGroup:
    """The sender's side; the store's port is what NCCL's unique id is."""

    size: int
    timeout: float
    _group: Any = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._wait = timedelta(seconds=WAITS)
        self._store = STORE("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=self._wait)

    def address(self) -> Json:
        return {"host": "127.0.0.1", "port": self._store.port}

    def meet(self) -> None:
        self._group = dist.ProcessGroupGloo(self._store, 0, self.size, self._wait)
        self._group.allreduce([torch.zeros(1)]).wait()

    def broadcast(self, tensor: Tensor) -> Any:
        return self._group.broadcast([tensor], dist.BroadcastOptions())

    def abort(self) -> None:
        LEFT.append(self._group)


def gloo_transport(device: torch.device) -> WeightTransport:
    """What `nccl_transport` is on a GPU."""
    return GroupTransport("gloo", CPU, GlooGroup)


def export_to_file(tensor: Tensor, folder: Path) -> Json:
    """A handle of a copy in a file that both processes map."""
    file = folder / f"shared-{len(list(folder.iterdir()))}"
    shared = torch.from_file(str(file), shared=True, size=tensor.numel(), dtype=tensor.dtype)
    shared.copy_(tensor.flatten())
    return {"file": str(file), "size": list(tensor.shape)}


def open_from_file(handle: Json, dtype: torch.dtype) -> Tensor:
    """The tensor of a handle."""
    shape = torch.Size(handle["size"])
    return torch.from_file(handle["file"], shared=True, size=shape.numel(), dtype=dtype).view(shape)


@contextmanager
def transports_on_a_cpu(folder: Path) -> Iterator[None]:
    """Inside, rollout.weights=nccl goes by gloo, and ipc by files of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    shared = SharedMemoryTransport(CPU, partial(export_to_file, folder=folder))
    stand_ins: dict[str, Callable[..., WeightTransport]] = {"nccl": gloo_transport, "ipc": lambda device: shared}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu_transports, "TRANSPORTS", stand_ins)
        yield


@dataclass
class WeightReceiver:
    """A server's side, as far as vLLM's worker has one."""

    load: Callable[[Mapping[str, Tensor]], object]
    order: list[tuple[str, str, tuple[int, ...]]] = field(default_factory=list)  # of the last exchange
    group: Any = None
    listens: bool = False  # between start and finish

    def join(self, told: Json) -> None:
        wait = timedelta(seconds=WAITS)
        store = STORE(told["host"], told["port"], is_master=False, timeout=wait)
        self.group = dist.ProcessGroupGloo(store, told["rank_offset"], told["world_size"], wait)
        self.group.allreduce([torch.zeros(1)]).wait()

    def start(self) -> None:
        assert not self.listens
        self.listens = True

    def update(self, told: Json, *, most: int | None = None) -> dict[str, Tensor]:
        """Receive what is named, or the first of it."""
        assert self.listens
        self.order = [(n, d, tuple(s)) for n, d, s in zip(told["names"], told["dtype_names"], told["shapes"])]
        found = {}
        for name, dtype, shape in self.order[:most]:
            found[name] = torch.empty(shape, dtype=getattr(torch, dtype))
            self.group.broadcast([found[name]], dist.BroadcastOptions()).wait()
        return found

    def finish(self) -> None:
        assert self.listens
        self.listens = False

    def open(self, told: list[Json]) -> dict[str, Tensor]:
        """The tensors of handles."""
        self.order = [(one["name"], one["dtype"], tuple(one["handle"]["size"])) for one in told]
        return {one["name"]: open_from_file(one["handle"], getattr(torch, one["dtype"])) for one in told}

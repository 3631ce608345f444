"""The senders' group over NCCL, as far as it goes without a GPU: torch's own group is replaced by one that records."""

from __future__ import annotations

import base64
import os
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed as dist

from tvo_cli.rollout.weight_transfer.nccl_group import HANDLING, NcclGroup

UNIQUE_ID = bytes(range(128))


class RecordingGroup:
    """torch.distributed.ProcessGroupNCCL, as far as it is used: its first collective puts the id into the store."""

    Options = SimpleNamespace

    def __init__(self, store: Any, rank: int, size: int, options: Any) -> None:
        self.store, self.place, self.timeout = store, (rank, size), options._timeout
        self.handling, self.sent, self.aborted = os.environ.get(HANDLING), list[tuple[Any, int]](), False

    def allreduce(self, tensors: list[torch.Tensor]) -> Any:
        assert [tensor.numel() for tensor in tensors] == [1]
        self.store.set("0", UNIQUE_ID)
        return SimpleNamespace(is_completed=lambda: True, wait=lambda: True)

    def broadcast(self, tensors: list[torch.Tensor], options: Any) -> str:
        self.sent.append((tensors, options.rootRank))
        return "work"

    def abort(self) -> None:
        self.aborted = True


@pytest.mark.parametrize("before", [None, "1"])
def test_servers_get_the_unique_id_as_text_and_this_process_is_the_root(
    monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    monkeypatch.setattr(dist, "ProcessGroupNCCL", RecordingGroup, raising=False)
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    monkeypatch.delenv(HANDLING, raising=False)
    if before is not None:
        monkeypatch.setenv(HANDLING, before)
    group = NcclGroup(3, 20.0, torch.device("cpu"))
    assert os.environ.get(HANDLING) == before and group._group.handling == "0", "a lost peer must not end the process"
    assert group._group.place == (0, 3) and group._group.timeout.total_seconds() > 20.0
    group.meet()
    assert base64.b64decode(group.address()["nccl_unique_id_b64"], validate=True) == UNIQUE_ID
    tensor = torch.zeros(2)
    assert group.broadcast(tensor) == "work"
    ((sent,), root) = group._group.sent[0]
    assert sent is tensor and root == 0
    group.abort()
    assert group._group.aborted

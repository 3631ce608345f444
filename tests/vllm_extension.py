"""Inside a vLLM on a CPU: both ends that a GPU would have, with gloo in the place of NCCL and a file in that of memory.

vllm serve … --worker-extension-cls tests.vllm_extension.Extension --weight-transfer-config '{"backend": "gloo"}'
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from vllm.distributed.weight_transfer.base import WeightTransferInitInfo
from vllm.distributed.weight_transfer.factory import WeightTransferEngineFactory
from vllm.distributed.weight_transfer.nccl_engine import NCCLWeightTransferEngine

from tvo_cli.vllm_worker.shared_weights import SharedWeights

WAITS = timedelta(seconds=60)
STORE: Any = dist.TCPStore  # type: ignore[attr-defined]


@dataclass
class GlooInitInfo(WeightTransferInitInfo):  # type: ignore[misc]
    """What stands in for the unique id: where the trainer's store is."""

    host: str
    port: int
    rank_offset: int
    world_size: int
    packed: bool = False


class GlooWeightTransferEngine(NCCLWeightTransferEngine):  # type: ignore[misc]
    """All but the transport is vLLM's own: start, finish, and how a received tensor is loaded."""

    init_info_cls = GlooInitInfo
    group: Any = None

    def init_transfer_engine(self, init_info: GlooInitInfo) -> None:
        store = STORE(init_info.host, init_info.port, is_master=False, timeout=WAITS)
        rank = init_info.rank_offset + self.parallel_config.rank
        self.group = dist.ProcessGroupGloo(store, rank, init_info.world_size, WAITS)
        self.group.allreduce([torch.zeros(1)]).wait()

    def receive_weights(self, update_info: Any) -> None:
        for name, dtype, shape in zip(update_info.names, update_info.dtype_names, update_info.shapes, strict=True):
            weight = torch.empty(shape, dtype=getattr(torch, dtype))
            self.group.broadcast([weight], dist.BroadcastOptions()).wait()
            self.model.load_weights([(name, weight)])


class Extension(SharedWeights):
    """The worker's side of shared memory, by files; that this module is imported registers the engine besides."""

    def open_shared(self, handle: dict[str, Any], dtype: torch.dtype) -> torch.Tensor:
        shape = torch.Size(handle["size"])
        return torch.from_file(handle["file"], shared=True, size=shape.numel(), dtype=dtype).view(shape)


WeightTransferEngineFactory.register_engine("gloo", GlooWeightTransferEngine)

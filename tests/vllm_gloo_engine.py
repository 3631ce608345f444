"""Inside a vLLM on a CPU: its weight-transfer engine for NCCL, with gloo in the place of NCCL.

vllm serve … --worker-extension-cls tests.vllm_gloo_engine.Registered --weight-transfer-config '{"backend": "gloo"}'
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


@dataclass
class GlooInitInfo(WeightTransferInitInfo):
    """What stands in for the unique id: where the trainer's store is."""

    host: str
    port: int
    rank_offset: int
    world_size: int
    packed: bool = False


class GlooWeightTransferEngine(NCCLWeightTransferEngine):
    """All but the transport is vLLM's own: start, finish, and how a received tensor is loaded."""

    init_info_cls = GlooInitInfo
    group: Any = None

    def init_transfer_engine(self, init_info: GlooInitInfo) -> None:
        wait = timedelta(seconds=60)
        store = dist.TCPStore(init_info.host, init_info.port, is_master=False, timeout=wait)
        rank = init_info.rank_offset + self.parallel_config.rank
        self.group = dist.ProcessGroupGloo(store, rank, init_info.world_size, wait)
        self.group.allreduce([torch.zeros(1)]).wait()

    def receive_weights(self, update_info: Any) -> None:
        for name, dtype, shape in zip(update_info.names, update_info.dtype_names, update_info.shapes, strict=True):
            weight = torch.empty(shape, dtype=getattr(torch, dtype))
            self.group.broadcast([weight]).wait()
            self.model.load_weights([(name, weight)])


class Registered:
    """Mixed into the worker; that this module is imported registers the engine."""


WeightTransferEngineFactory.register_engine("gloo", GlooWeightTransferEngine)

"""The weight transports that need a GPU, by the value of rollout.weights that names them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.distributed as dist

from tvo_cli.errors import UserError
from tvo_cli.rollout.weight_transfer.group_transport import GroupTransport
from tvo_cli.rollout.weight_transfer.nccl_group import NcclGroup
from tvo_cli.rollout.weight_transfer.shared_memory_transport import SharedMemoryTransport
from tvo_cli.rollout.weight_transfer.weight_transport import WeightTransport
from tvo_cli.vllm_worker.cuda_handles import export_cuda_tensor

DISK = "Take rollout.weights=disk; on one machine rollout.folder=/dev/shm/NAME makes that a copy in memory."


def nccl_transport(device: torch.device) -> WeightTransport:
    """Broadcasts over NCCL, from a GPU that no server uses."""
    _check_gpu("nccl", device)
    if not dist.is_nccl_available():
        raise UserError("rollout.weights", "nccl", "this torch was built without NCCL.", DISK)
    return GroupTransport("nccl", device, partial(NcclGroup, device=device))


def ipc_transport(device: torch.device) -> WeightTransport:
    """Tells a server on the same GPU where the weights lie."""
    _check_gpu("ipc", device)
    return SharedMemoryTransport(device, export_cuda_tensor)


TRANSPORTS: dict[str, Callable[[torch.device], WeightTransport]] = {"nccl": nccl_transport, "ipc": ipc_transport}


def _check_gpu(name: str, device: torch.device) -> None:
    if device.type != "cuda":
        raise UserError("rollout.weights", name, f"goes from GPU to GPU, and this run is on {device.type}.", DISK)

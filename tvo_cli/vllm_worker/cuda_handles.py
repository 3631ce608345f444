"""Where a tensor lies in the memory of a GPU, as text: for another process on the same GPU, which maps it.

torch makes and opens the handles (torch.multiprocessing.reductions); it sends them pickled, this as JSON. Of classes
only torch.Tensor and its storage are ever made of one. Not run here: there was no GPU.
"""

from __future__ import annotations

import base64
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing import reductions

# The arguments of rebuild_cuda_tensor behind the class of the tensor, in order; `storage` stands for the storage's
# class, `dtype` and `device` for what the receiver puts there itself.
FIELDS = (
    *("size", "stride", "offset", "storage", "dtype", "device", "handle", "storage_bytes", "storage_offset"),
    *("requires_grad", "counter", "counter_offset", "event", "waits"),
)
BYTES = ("handle", "counter", "event")


def export_cuda_tensor(tensor: Tensor) -> dict[str, Any]:
    """A handle of a contiguous tensor on a GPU, which must live until the receiver has copied it."""
    _, given = reductions.reduce_tensor(tensor.detach())
    found = dict(zip(FIELDS, given[1:], strict=True))
    told = {name: value for name, value in found.items() if name not in ("storage", "dtype", "device", *BYTES)}
    gpu = str(torch.cuda.get_device_properties(tensor.device).uuid)
    texts = {name: base64.b64encode(found[name]).decode("ascii") for name in BYTES}
    return told | texts | {"size": list(found["size"]), "stride": list(found["stride"]), "gpu": gpu}


def open_cuda_tensor(handle: dict[str, Any], dtype: torch.dtype, device: torch.device) -> Tensor:
    """The tensor of a handle, in its owner's memory.

    Raises:
        ValueError: it lies on another GPU than `device`.
    """
    here = str(torch.cuda.get_device_properties(device).uuid)
    if handle["gpu"] != here:
        raise ValueError(f"the weights lie on the GPU {handle['gpu']}, and this worker runs on {here}")
    found = handle | {name: base64.b64decode(handle[name]) for name in BYTES}
    found |= {"storage": torch.storage.TypedStorage, "dtype": dtype, "device": device.index}
    found |= {"size": torch.Size(handle["size"]), "stride": tuple(handle["stride"])}
    tensor: Tensor = reductions.rebuild_cuda_tensor(torch.Tensor, *(found[name] for name in FIELDS))
    return tensor

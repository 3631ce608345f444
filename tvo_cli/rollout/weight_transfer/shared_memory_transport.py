"""Weights in shared memory: a server on the trainer's own GPU is told where they lie, and copies them.

It goes over vLLM's route /collective_rpc as JSON, to a method that vllm_worker/shared_weights.py gives the worker.
vLLM's own exchange by CUDA IPC sends pickles over HTTP, which a server must be told to open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tvo_cli.errors import UserError
from tvo_cli.rollout.server_client import ServerClient
from tvo_cli.rollout.weight_transfer.weight_transport import dtype_name

EXTENSION = "--worker-extension-cls tvo_cli.vllm_worker.shared_weights.SharedWeights"


@dataclass(frozen=True, slots=True)
class SharedMemoryTransport:
    """Tells one server with one worker where the weights lie, and waits until it has copied them."""

    device: torch.device
    export: Callable[[Tensor], dict[str, Any]]  # a handle of a contiguous tensor of the device

    def send(self, client: ServerClient, weights: Mapping[str, Tensor], about: str) -> None:
        """Weights that lie elsewhere are brought to the device before, all at once."""
        held = {name: tensor.detach().to(self.device).contiguous() for name, tensor in weights.items()}
        self._wait_for_device()
        told = [
            {"name": name, "dtype": dtype_name(tensor), "handle": self.export(tensor)} for name, tensor in held.items()
        ]
        body = {"method": "load_shared_weights", "kwargs": {"weights": told}}
        try:
            client.at_all("/collective_rpc", body, about, repeats=False)
        except UserError as error:
            remedy = f"{error.remedy} Start it on the trainer's GPU, with {EXTENSION}."
            raise UserError(error.key, error.value, error.problem, remedy.strip()) from error

    def close(self) -> None:
        """Let go of memory that the server has mapped."""
        if self.device.type == "cuda":
            torch.cuda.ipc_collect()

    def _wait_for_device(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)  # the last update is in the weights

"""The worker's side of weights in shared memory.

vllm serve … --worker-extension-cls tvo_cli.vllm_worker.shared_weights.SharedWeights has vLLM mix the class into its
worker, and its route /collective_rpc then reaches the method.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tvo_cli.vllm_worker.cuda_handles import open_cuda_tensor


class SharedWeights:
    """Loads weights that lie in another process's memory on the same GPU."""

    device: torch.device  # of the worker
    reload_weights: Any  # vLLM's own, of the worker

    def load_shared_weights(self, weights: list[dict[str, Any]]) -> None:
        """Load the tensors that are named, in order, each as a checkpoint's; all are copied when it returns."""
        named = ((one["name"], self.open_shared(one["handle"], getattr(torch, one["dtype"]))) for one in weights)
        self.reload_weights(weights_iterator=named)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def open_shared(self, handle: dict[str, Any], dtype: torch.dtype) -> Tensor:
        """The tensor of a handle."""
        return open_cuda_tensor(handle, dtype, self.device)

"""How servers get a policy's weights: by a folder, or from memory to memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tvo_cli.rollout import gpu_transports
from tvo_cli.rollout.server_client import ServerClient
from tvo_cli.rollout.weight_exchange import DiskExchange, TransferExchange, WeightExchange


def build_client(node: Any) -> ServerClient:
    """The client of the servers that a rollout node names."""
    urls = tuple(str(url).rstrip("/").removesuffix("/v1") for url in node.url)
    return ServerClient(urls, timeout=float(node.timeout), requests=int(node.requests))


def build_exchange(node: Any, client: ServerClient, device: torch.device) -> WeightExchange:
    """The exchange that rollout.weights names; `device` is the policy's.

    Raises:
        UserError: it needs a GPU, and there is none.
    """
    if transport := gpu_transports.TRANSPORTS.get(str(node.weights)):
        return TransferExchange(client, transport(device), bool(node.untie))
    return DiskExchange(client, Path(node.folder), bool(node.untie))

"""How servers get a policy's weights: by a folder, or from memory to memory; and which models engines take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from tvo_cli.errors import UserError
from tvo_cli.model.model_files.model_location import is_adapter, model_location
from tvo_cli.rollout.server_client import ServerClient
from tvo_cli.rollout.weight_transfer import gpu_transports
from tvo_cli.rollout.weight_transfer.weight_exchange import DiskExchange, TransferExchange, WeightExchange


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


def check_whole_model(config: DictConfig) -> None:
    """Refuse an adapter for an engine that loads a whole model, before weights are exchanged with it."""
    if is_adapter(model_location(config.model)):
        problem = f"holds an adapter, which rollout={config.rollout.engine} does not load."
        remedy = "Merge it first: tvo export RUN OUT --merge; or leave rollout=default."
        raise UserError("model.path", config.model.path, problem, remedy)

"""The memory plan of a run and the bound of an evaluation, from the device that they are on."""

from __future__ import annotations

from typing import Any

import torch
from omegaconf import DictConfig

from tvo_cli.byte_sizes import tensor_bytes
from tvo_cli.memory.bounds import cache_limit, free_gpu_bytes
from tvo_cli.memory.longest_prompt import longest_prompt
from tvo_cli.memory.network_shape import shape_of_network
from tvo_cli.memory.planned_run import PlannedRun, planned_run
from tvo_cli.model import Policy


def plan_of_run(config: DictConfig, policy: Policy) -> PlannedRun:
    """The plan of a training run on the device of its policy: its copies of the model and the bounds of its phases.

    On a GPU the bounds depend on the longest prompt, which is found as a dry run finds it.
    """
    device = next(policy.parameters()).device
    prompt = longest_prompt(config).tokens if device.type == "cuda" else 0
    return planned_run(config, shape_of_network(policy.network), prompt, device=device)


def cache_bytes_of_evaluation(rollout: Any, policy: Policy) -> float:
    """The bound of an evaluation's cache: beside the weights there is nothing else."""
    weights = list(policy.parameters())
    device = weights[0].device
    if device.type != "cuda":
        return cache_limit(rollout.get("cache_gb", 0), free=None)
    whole = torch.cuda.get_device_properties(device).total_memory
    return cache_limit(rollout.get("cache_gb", 0), free=free_gpu_bytes(whole, tensor_bytes(weights)))

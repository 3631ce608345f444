"""Adapters that have grown: one that has just begun changes nothing, and shows no mistake."""

from __future__ import annotations

from typing import Any

import torch

from tvo_cli.model import Policy
from tvo_cli.model.adapters.adapter import AdapterSettings, adapter_tensors, attach_adapter
from tvo_cli.model.adapters.adapter_base import BaseModel

KINDS = ("lora", "dora", "miss")
BASE = BaseModel("packaged:tiny", None, None, "")


def settings(kind: str = "lora", **changed: Any) -> AdapterSettings:
    """Of a small adapter."""
    chosen: dict[str, Any] = {"rank": 4, "alpha": 8.0, "target_modules": ("auto",), "rslora": False, "seed": 5}
    return AdapterSettings(kind, **(chosen | changed))


def give_grown_adapter(policy: Policy, kind: str = "lora", **changed: Any) -> Policy:
    """The policy, with an adapter that changes what it says."""
    attach_adapter(policy.network, settings(kind, **changed))
    policy.base = BASE
    grow(policy.network)
    return policy


def grow(network: Any) -> None:
    """Fill what starts at 0 with numbers of the size that training leads to after a while."""
    rng = torch.Generator().manual_seed(11)
    for name, parameter in adapter_tensors(network).items():
        if "lora_B" in name or "miss_block" in name:
            parameter.data.normal_(std=0.1, generator=rng)
        elif "magnitude" in name:
            parameter.data.mul_(1.0 + 0.2 * torch.rand(parameter.shape, generator=rng))

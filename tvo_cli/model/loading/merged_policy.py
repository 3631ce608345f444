"""Loading of a policy with its adapter merged into the base: one network, whose weights have the product added."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from tvo_cli.model.adapters.adapter import NAME
from tvo_cli.model.loading.policy_loading import load_policy, load_with_adapter
from tvo_cli.model.model_files.model_location import is_adapter, model_location
from tvo_cli.model.policy import Policy


def save_merged(node: Any, folder: Path) -> Path:
    """Write the model that a node names, a run with an adapter too, as a hub folder that needs nothing else.

    The node is that of `model` in a config: path, checkpoint, revision, dtype, attention, base.
    """
    load_merged_policy(node, device="cpu").save(folder)
    return folder


def load_merged_policy(node: Any, *, device: torch.device | str, dtype: torch.dtype | None = None) -> Policy:
    """`load_policy`, with the adapter merged into its base: one network without an adapter.

    A base of 4 bits is given its precision back first: the values that it was rounded to, which the adapter knows.
    """
    place = model_location(node)
    if not is_adapter(place):
        return load_policy(node, device=device, dtype=dtype)
    policy = load_with_adapter(node, Path(place), device, dtype, whole=True)
    merge_adapter(policy)
    return policy


@torch.no_grad()
def merge_adapter(policy: Policy) -> None:
    """Merge in place: W ← W + s·B A, or DoRA's or MiSS's W, in float32, rounded once to the precision of W."""
    network: Any = policy.network
    layers = [(name, one) for name, one in network.named_modules() if hasattr(one, "get_base_layer")]
    for name, layer in layers:
        base, dtype = layer.get_base_layer(), layer.get_base_layer().weight.dtype
        base.float()
        layer.merge(safe_merge=True, adapter_names=[NAME])
        base.to(dtype)
        _exchange_module(network, name, base)
    del network.peft_config
    policy.base = None


def _exchange_module(network: nn.Module, name: str, new: nn.Module) -> None:
    """Put a merged layer into the place of the one with an adapter."""
    above, _, last = name.rpartition(".")
    setattr(network.get_submodule(above), last, new)

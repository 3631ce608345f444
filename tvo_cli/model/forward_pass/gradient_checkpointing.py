"""Gradient checkpointing: keep the inputs of layers, recompute the rest in the backward pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def enable_gradient_checkpointing(network: Any) -> None:
    """Keep only the layers' inputs and recompute the rest in the backward pass."""
    enable = getattr(network, "activation_checkpointing_enable", None)  # its name from transformers 5.2x on
    (enable or network.gradient_checkpointing_enable)({"use_reentrant": False})


def uses_gradient_checkpointing(body: nn.Module) -> bool:
    """Whether layers are recomputed in the backward pass, which keeps no cache."""
    return any(getattr(module, "gradient_checkpointing", False) for module in body.modules())


def recomputes_layers(body: nn.Module) -> bool:
    """Whether a forward here and now is one whose layers are recomputed: there are gradients."""
    return torch.is_grad_enabled() and uses_gradient_checkpointing(body)


def recompute_where_gradients_flow(body: nn.Module) -> None:
    """Put a network whose layers are recomputed into training mode for a forward with gradients, else out of it.

    Transformers checkpoints in training mode only; dropout is off.
    """
    if uses_gradient_checkpointing(body):
        body.train(torch.is_grad_enabled())

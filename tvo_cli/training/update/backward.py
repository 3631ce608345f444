"""The backward pass in two steps: from the loss to the forces on tokens (dL/dlogp), then through the network."""

from __future__ import annotations

import torch
from torch import Tensor

from tvo_cli.types import Loss, Tokens


def forces_by_backward(loss: Loss, tokens: Tokens) -> tuple[Tensor, ...]:
    """The backward pass's first step: ∂L/∂(log π, H, Σπ², and the nucleus's entropy where it is read), each [b, T]."""
    leaves = backward_leaves(tokens)
    found = torch.autograd.grad(loss.total, leaves, allow_unused=True)
    return tuple(torch.zeros_like(x) if g is None else g for g, x in zip(found, leaves))


def backward_leaves(tokens: Tokens) -> tuple[Tensor, ...]:
    """The scores through which a loss acts on the network, in their order."""
    leaves = (tokens.logp, tokens.entropy, tokens.collision)
    return leaves if tokens.nucleus_entropy is None else (*leaves, tokens.nucleus_entropy)


def backward_through_network(scores: tuple[Tensor, ...], forces: tuple[Tensor, ...]) -> None:
    """Carry the forces on the tokens through the network into .grad."""
    torch.autograd.backward(scores, forces)

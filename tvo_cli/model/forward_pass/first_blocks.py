"""The first blocks of a backbone as a backbone of their own: its last state is the one after block k, without norm.

    h_k = block_k(… block_1(E x))

It holds the same modules, and so the same weights, moments and adapters; only what comes after block k is left out.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

FINAL_NORMS = ("norm", "final_layernorm", "final_layer_norm", "ln_f", "norm_f")
TOLERANCE = 1e-5  # of the largest number of a state, in float32


class NoBlocks(Exception):
    """A backbone whose first blocks cannot be run by themselves; the text says why."""


def block_count(body: nn.Module) -> int:
    """N, the blocks of a backbone.

    Raises:
        NoBlocks: it has no plain list of them.
    """
    return len(_list_of_blocks(body)[1])


def first_blocks(body: nn.Module, count: int) -> nn.Module:
    """The backbone of the blocks 1 to `count`, checked once against the state that the whole one has there.

    Raises:
        NoBlocks: the backbone has no plain list of blocks or no final norm, or its states are others.
    """
    name, blocks = _list_of_blocks(body)
    norms = [norm for norm in FINAL_NORMS if isinstance(getattr(body, norm, None), nn.Module)]
    if len(norms) != 1:
        raise NoBlocks("has no final norm of a known name")
    shorter = copy.copy(body)
    shorter._modules = dict(body._modules) | {name: nn.ModuleList(blocks[:count]), norms[0]: nn.Identity()}
    if not _has_state_of_block(shorter, body, blocks[count - 1]):
        raise NoBlocks("does not give the states of its own blocks when they are run alone")
    return shorter


def _list_of_blocks(body: nn.Module) -> tuple[str, list[nn.Module]]:
    wanted = getattr(getattr(body, "config", None), "num_hidden_layers", None)
    for name, child in body.named_children():
        if isinstance(child, nn.ModuleList) and len(child) == wanted:
            return name, list(child)
    raise NoBlocks("has no plain list of its blocks")


@torch.no_grad()
def _has_state_of_block(shorter: Any, body: Any, block: nn.Module) -> bool:
    """Whether a few tokens have the same state in both."""
    seen: list[Tensor] = []
    probe = torch.arange(4, device=next(body.parameters()).device)[None] % body.config.vocab_size
    hook = block.register_forward_hook(
        lambda _, __, output: seen.append(output[0] if isinstance(output, tuple) else output)
    )
    was_training = body.training
    body.eval()
    try:
        body(input_ids=probe, use_cache=False)
        found = shorter(input_ids=probe, use_cache=False).last_hidden_state
    except (AttributeError, IndexError, TypeError, ValueError):
        return False
    finally:
        hook.remove()
        body.train(was_training)
    return bool((found - seen[0]).abs().max() <= TOLERANCE * seen[0].abs().max())

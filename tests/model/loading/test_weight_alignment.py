"""Weights of a memory map, moved to where products of one row give the bits of any copy."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from tests.model.loading.test_policy_loading import load
from tvo_cli.model.loading.weight_alignment import ALIGNMENT, align_weights, is_aligned


def _eight_bytes_off(held: Tensor) -> Tensor:
    """The same numbers where a file's header may leave them."""
    room = torch.empty(held.numel() + ALIGNMENT // 4)
    start = (8 - room.data_ptr()) % ALIGNMENT // 4
    return room[start : start + held.numel()].view_as(held).copy_(held)


def test_tied_weights_that_lie_off_are_moved_together() -> None:
    embed, head = nn.Embedding(8, 16), nn.Linear(16, 8, bias=False)
    head.weight = weight = embed.weight
    network = nn.ModuleList([embed, head])
    weight.data = _eight_bytes_off(weight.data)
    before = weight.detach().clone()
    assert not is_aligned(weight)
    align_weights(network)
    assert head.weight is embed.weight is weight
    assert is_aligned(weight) and torch.equal(weight, before)


def test_what_lies_right_is_not_copied() -> None:
    layer = nn.Linear(4, 4)
    places = [held.data_ptr() for held in layer.parameters()]
    align_weights(layer)
    assert [held.data_ptr() for held in layer.parameters()] == places


def test_a_loaded_model_gives_the_bits_of_its_copy() -> None:
    network = load("packaged:tiny").network
    assert all(map(is_aligned, network.parameters()))
    ids = torch.tensor([[5]])
    with torch.no_grad():
        assert torch.equal(network(ids).logits, copy.deepcopy(network)(ids).logits)

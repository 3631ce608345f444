"""TW-GRPO's divergence of a model's own distributions, against a loop over rows, positions and words."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tvo_cli.model import Policy
from tvo_cli.model.group_divergence import group_divergence


@pytest.fixture
def group(policy: Policy) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Three responses of 4, 1 and 2 tokens to a prompt with padding before it; nobody has a fifth token."""
    ids, seen = policy.encode(["1 + 2 =", "3 * 4 + 5 + 6 ="])
    ids, seen = ids[:1].expand(3, -1), seen[:1].expand(3, -1)
    responses = torch.tensor([[5, 6, 7, 8, 0], [8, 0, 0, 0, 0], [9, 4, 0, 0, 0]])
    mask = torch.arange(5) < torch.tensor([[4], [1], [2]])
    assert not seen.all() and policy.network.config.vocab_size > 10
    return ids, seen, responses, mask


def laws_by_a_loop(policy: Policy, group: tuple[Tensor, ...], temperature: float) -> list[list[list[float]]]:
    """log π of every word at each row's tokens, by row and position; where a row has ended, of the uniform law."""
    ids, seen, responses, mask = group
    words = int(policy.network.config.vocab_size)
    found = []
    for row in range(len(mask)):
        count, prompt = int(mask[row].sum()), int(seen[row].sum())
        whole = torch.cat([ids[row][seen[row]], responses[row][:count]])[None]
        logits = policy.network(input_ids=whole).logits[0, prompt - 1 : prompt - 1 + count].double() / temperature
        ended = [[math.log(1 / words)] * words] * (mask.shape[1] - count)
        found.append(logits.log_softmax(-1).tolist() + ended)
    return found


def divergence_by_a_loop(laws: list[list[list[float]]], position: int) -> float:
    rows, words = len(laws), len(laws[0][0])
    total = 0.0
    for word in range(words):
        mean = sum(law[position][word] for law in laws) / rows
        for law in laws:
            d = min(max(mean - law[position][word], -11.0), 11.0)
            total += (math.exp(d) - d - 1) / rows
    return total


@pytest.mark.parametrize("positions", [0, 1, 2, 9])  # whose logits of all three rows fit at once: 0 is less than one
@pytest.mark.parametrize("temperature", [1.0, 0.5])
@torch.no_grad()
def test_a_models_divergence_is_that_of_a_loop(
    policy: Policy, group: tuple[Tensor, Tensor, Tensor, Tensor], positions: int, temperature: float
) -> None:
    laws = laws_by_a_loop(policy, group, temperature)
    expected = [divergence_by_a_loop(laws, position) for position in range(5)]
    room = 4 * 3 * len(laws[0][0]) * positions or 4
    assert group_divergence(policy, group, temperature, room).tolist() == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert expected[4] == pytest.approx(0.0, abs=1e-12) and min(expected[1:4]) > 1e-3

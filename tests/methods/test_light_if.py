"""Light-IF on F0: its weights by a loop, their bound, its gradient by entropy alone, and that 0 is the base."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from tests.methods.conftest import Result
from tvo_cli.methods.light_if import light_if
from tvo_cli.types import Tokens

OBJECTIVE = "algorithm.objective"
NEUTRAL = {
    "light_if": (
        "grpo",
        [
            f"{OBJECTIVE}.penalties.light_if.term.scale=0",
            *(f"{OBJECTIVE}.surrogate.{key}" for key in ("low=0.2", "high=0.2", "dual=inf")),
            f"{OBJECTIVE}.reduce._target_=tvo_cli.objective.reduction.sequence_mean",
        ],
    )
}


def by_loop(tokens: Tokens, scale: float, most: float) -> list[list[float]]:
    """Token after token, as the formula reads."""
    places = tokens.mask.nonzero().tolist()
    mean_a = sum(float(tokens.advantage[i, t]) for i, t in places) / len(places)
    mean_p = sum(float(tokens.logp[i, t].detach()) for i, t in places) / len(places)
    found = [[0.0] * tokens.mask.shape[1] for _ in tokens.mask]
    for row in range(len(found)):
        own = [t for i, t in places if i == row]
        costs = [
            (float(tokens.advantage[row, t]) - mean_a) * (float(tokens.logp[row, t].detach()) - mean_p) for t in own
        ]
        for t, cost in zip(own, costs):
            share = math.exp(cost) / sum(math.exp(one) for one in costs)
            found[row][t] = -min(scale * share, most) * float(tokens.entropy[row, t])
    return found


@pytest.mark.parametrize(("scale", "most"), [(10.0, 5.0), (10.0, 3.4), (2.0, 5.0)])
def test_the_bonus_is_that_of_a_loop(on_f0: Callable[..., Result], scale: float, most: float) -> None:
    tokens = on_f0("light_if").tokens
    assert light_if(tokens, scale=scale, maximum=most).detach().tolist() == [
        pytest.approx(row, rel=1e-6) for row in by_loop(tokens, scale, most)
    ]


def test_the_weights_of_a_response_sum_to_the_scale_and_carry_no_gradient(on_f0: Callable[..., Result]) -> None:
    tokens = on_f0("light_if").tokens
    given = replace(tokens, entropy=torch.ones_like(tokens.logp).detach().requires_grad_())
    found = light_if(given, scale=4.0, maximum=5.0)
    assert (-found).sum(1).tolist() == pytest.approx([4.0] * len(found))
    by_entropy, by_logp = torch.autograd.grad(found.sum(), [given.entropy, given.logp], allow_unused=True)
    assert by_logp is None and torch.equal(by_entropy, found.detach())

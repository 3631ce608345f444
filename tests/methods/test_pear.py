"""PEAR: rewards by the entropies of two phases, by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from tvo_cli.methods.pear import pear
from tvo_cli.types import Experience

D = torch.float64
NEUTRAL: dict[str, tuple[str, list[str]]] = {"pear": ("grpo", ["algorithm.reward_shaping.pear.right=inf"])}
SETTINGS: dict[str, Any] = {"alpha": 1.0, "right": 1.0, "least": 0.0}


@pytest.fixture
def batch() -> Experience:
    """H_t .6 and H_a .2; H_t .3, H_a .9; wrong; and one that never ends its thinking, H_t .5 of two tokens."""
    rows = [[0.4, 0.8, 9.0, 0.2], [0.3, 9.0, 0.8, 1.0], [0.4, 0.8, 9.0, 0.2], [0.2, 0.8, 0, 0]]
    phase = torch.tensor([[0, 0, 1, 2], [0, 1, 2, 2], [0, 0, 1, 2], [0, 0, 0, 0]])
    return Experience(
        rewards=torch.tensor([1.0, 1.0, -0.25, 1.0], dtype=D),
        mask=torch.arange(4) < torch.tensor([[4], [4], [4], [2]]),
        group=torch.zeros(4, dtype=torch.int64),
        source=torch.zeros(4, dtype=torch.int64),
        old_logp=torch.zeros(4, 4, dtype=D),
        old_entropy=torch.tensor(rows, dtype=D),
        correct=torch.tensor([True, True, False, True]),
        phase=phase,
    )


def test_a_right_answer_pays_for_uncertain_thinking(batch: Experience) -> None:
    assert pear(batch, **SETTINGS).tolist() == pytest.approx([0.6, 1.0, -0.25, 0.5])
    assert pear(batch, **SETTINGS | {"alpha": 0.0}).tolist() == pytest.approx([0.4, 0.7, -0.25, 0.5])


def test_certain_thinking_earns_no_more_than_s(batch: Experience) -> None:
    """H_t = .3 < H_a = .9 in the second response: P = 0, not −.6."""
    assert pear(batch, **SETTINGS | {"right": 0.5})[1] == 0.5


def test_a_right_answer_never_falls_below_the_least(batch: Experience) -> None:
    loud = replace(batch, old_entropy=torch.full((4, 4), 3.0, dtype=D))
    assert pear(loud, **SETTINGS).tolist() == [1.0, 1.0, -0.25, 0.0]
    assert pear(loud, **SETTINGS | {"least": -torch.inf})[3] == -2.0


def test_what_is_never_reached_changes_no_bit(batch: Experience) -> None:
    assert torch.equal(pear(batch, **SETTINGS | {"right": torch.inf}), batch.rewards)

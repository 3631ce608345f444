"""Clip_V: its sign against a finite difference, its cap, and which tokens no longer count."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from tvo_cli.methods.clip_v import clip_v
from tvo_cli.types import Advantage, Experience

NEUTRAL: dict[str, tuple[str, list[str]]] = {
    "clip_v": (
        "grpo",
        [
            "algorithm.objective.reduce._target_=tvo_cli.objective.reduction.sequence_mean",
            "algorithm.advantage_shaping.clip_v.width=inf",
        ],
    )
}
ACTS = {"clip_v": ["algorithm.advantage_shaping.clip_v.width=0.1"]}
SETTINGS: dict[str, Any] = {"width": 1.0, "share": 1.0, "over_kept": True}
D = torch.float64


@pytest.fixture
def batch(f0: dict[str, torch.Tensor], f0_experience: Experience) -> tuple[Experience, Advantage]:
    """F0 with S of the specification (q = exp(log π)) and N = .2 everywhere: D = .2 − S."""
    values = torch.tensor([0.7, -0.7, -0.7, 0.7], dtype=D)[:, None] * f0["mask"]
    old = replace(f0_experience, old_logp=f0["logp"], old_covariance=torch.full((4, 3), 0.2, dtype=D))
    return old, Advantage(values, scale=1.0)


def dropped(batch: tuple[Experience, Advantage], **changes: float) -> list[list[int]]:
    counted = clip_v(*batch, **SETTINGS | changes).counted
    assert counted is not None
    return (~counted & batch[0].mask).nonzero().tolist()


def test_what_falls_and_is_far_above_no_longer_counts(batch: tuple[Experience, Advantage]) -> None:
    """D of the bad tokens: .2407, −.0715; −.0222, .0910, .1551. std .12593, D not centred: those above it."""
    assert dropped(batch) == [[1, 0], [2, 2]]
    assert dropped(batch, width=0.5) == [[1, 0], [2, 1], [2, 2]]
    assert dropped(batch, width=torch.inf) == []


def test_no_more_than_a_share_and_the_worst_of_them(batch: tuple[Experience, Advantage]) -> None:
    """Of 9 tokens: ⌊.12·9⌋ = 1, ⌊.3·9⌋ = 2, and 1 at the least."""
    assert dropped(batch, width=0.5, share=0.12) == dropped(batch, width=0.5, share=1e-4) == [[1, 0]]
    assert dropped(batch, width=0.5, share=0.3) == [[1, 0], [2, 2]]


def test_tokens_without_an_advantage_are_left_out_beside_the_cap(batch: tuple[Experience, Advantage]) -> None:
    experience, advantage = batch
    none = advantage.values.clone()
    none[2] = 0.0
    given = (experience, replace(advantage, values=none))
    assert dropped(given, width=0.5, share=1e-4) == [[1, 0], [2, 1], [2, 2]]


def test_at_zero_advantage_instead_of_out_of_the_mean(batch: tuple[Experience, Advantage]) -> None:
    found = clip_v(*batch, **SETTINGS | {"over_kept": False})
    expected = batch[1].values.clone()
    expected[1, 0] = expected[2, 2] = 0.0
    assert found.counted is None and torch.equal(found.values, expected)


P = torch.tensor([0.7, 0.2, 0.1], dtype=D)


def entropy_after(token: int, step: float) -> float:
    """Of a softmax after a step along e_token − π."""
    logits = P.log() + step * (torch.nn.functional.one_hot(torch.tensor(token), 3) - P)
    return -float((logits.softmax(0) * logits.log_softmax(0)).sum())


def test_it_leaves_out_the_bad_tokens_whose_fall_takes_entropy() -> None:
    """N = .170808, S = (.311601, −.161524, −.150077): one bad token of each kind; the last two take entropy falling."""
    entropy = -(P * P.log()).sum()
    signal = P * (entropy + P.log())
    ones = torch.ones(1, 3, dtype=D)
    old: dict[str, Any] = {
        "old_logp": P.log()[None],
        "old_entropy": ones * entropy,
        "old_covariance": ones * (P * signal).sum(),
    }
    experience = Experience(
        rewards=torch.zeros(1, dtype=D),
        mask=torch.ones(1, 3, dtype=torch.bool),
        group=torch.zeros(1, dtype=torch.int64),
        source=torch.zeros(1, dtype=torch.int64),
        **old,
    )
    falls = [entropy_after(token, -1e-4) < entropy_after(token, 0.0) for token in range(3)]
    counted = clip_v(experience, Advantage(-ones, scale=1.0), width=0.0, share=1.0, over_kept=True).counted
    assert counted is not None and falls == [False, True, True] == (~counted[0]).tolist()

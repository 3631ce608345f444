"""Clip_B on F0: which tokens no longer count, by numbers that the specification worked out, and by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.methods.conftest import Result
from tvo_cli.methods.clip_b import clip_b
from tvo_cli.types import Advantage, Experience

NEUTRAL: dict[str, tuple[str, list[str]]] = {
    "clip_b": (
        "grpo",
        [
            "algorithm.objective.reduce._target_=tvo_cli.objective.reduction.sequence_mean",
            "algorithm.advantage_shaping.clip_b.width=inf",
        ],
    )
}
ACTS = {"clip_b": ["algorithm.advantage_shaping.clip_b.width=0.5"]}
SETTINGS: dict[str, Any] = {"width": 1.0, "sides": "negative", "over_kept": True}


@pytest.fixture
def off_policy(f0: dict[str, torch.Tensor], f0_experience: Experience) -> tuple[Experience, Advantage]:
    """F0 with q = exp(log π), as the specification's numbers take it, and GRPO's advantages."""
    values = torch.tensor([0.707106, -0.707106, -0.707106, 0.707106], dtype=torch.float64)[:, None] * f0["mask"]
    return replace(f0_experience, old_logp=f0["logp"]), Advantage(values, scale=1.0)


def test_on_f0(off_policy: tuple[Experience, Advantage]) -> None:
    """Mean S .135773, std .12593: of the bad tokens only (1, 0) is below by more; (0, 2) is too, and is good."""
    counted = clip_b(*off_policy, **SETTINGS).counted
    assert counted is not None
    assert (~counted & off_policy[0].mask).nonzero().tolist() == [[1, 0]]


def test_the_other_side_and_both(off_policy: tuple[Experience, Advantage]) -> None:
    """z of the good tokens: .102, .194, −.156, −.068; only (0, 1) is above by more than .126."""
    dropped = {}
    for sides in ("positive", "both"):
        counted = clip_b(*off_policy, **SETTINGS | {"sides": sides}).counted
        assert counted is not None
        dropped[sides] = (~counted & off_policy[0].mask).nonzero().tolist()
    assert dropped == {"positive": [[0, 1]], "both": [[0, 1], [1, 0]]}


def test_dropped_tokens_leave_the_denominator_or_their_advantage(off_policy: tuple[Experience, Advantage]) -> None:
    experience, advantage = off_policy
    kept = clip_b(experience, advantage, **SETTINGS | {"over_kept": False})
    expected = advantage.values.clone()
    expected[1, 0] = 0.0
    assert kept.counted is None and torch.equal(kept.values, expected)


def test_an_infinite_width_and_good_responses_alone_change_nothing(off_policy: tuple[Experience, Advantage]) -> None:
    experience, advantage = off_policy
    for width, given in ((torch.inf, advantage), (0.0, replace(advantage, values=advantage.values.abs()))):
        found = clip_b(experience, given, **SETTINGS | {"width": width})
        assert found.counted is not None
        assert torch.equal(found.counted, experience.mask) and torch.equal(found.values, given.values)


def test_one_certain_distribution_everywhere_is_no_spread(off_policy: tuple[Experience, Advantage]) -> None:
    experience, advantage = off_policy
    certain = replace(experience, old_logp=torch.zeros(4, 3).double(), old_entropy=torch.zeros(4, 3).double())
    counted = clip_b(certain, advantage, **SETTINGS | {"width": 0.0}).counted
    assert counted is not None and torch.equal(counted, experience.mask)


def test_the_loss_is_the_mean_of_the_tokens_that_count(on_f0: Callable[..., Result]) -> None:
    """With q = exp(log π_old): mean S .1142, std .0703; of the bad only (2, 1), z = −.0696, is below half of it."""
    found = on_f0("clip_b", "algorithm.advantage_shaping.clip_b.width=0.5")
    share = found.tokens.share
    assert share.sum().item() == pytest.approx(1.0) and len(share[share > 0].unique()) == 1
    dropped = ((share == 0) & found.tokens.mask).nonzero().tolist()
    assert dropped == [[2, 1]] and found.gradient[2, 1] == 0

"""CANON: halves by a metric, both comparisons, the handicap and the schedules, by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from tvo_cli.advantage import ConditionalGroup, GroupCentred
from tvo_cli.advantage.conditional_group import cosine_with_restarts
from tvo_cli.errors import UserError
from tvo_cli.types import Experience

D = torch.float64
BASE: dict[str, Any] = {"metric": "entropy", "between": 1.0, "handicap": 1.0, "schedule": "constant"}


@pytest.fixture
def group() -> Experience:
    """One prompt, rewards 1, 0, 1, 1, mean entropies 1, 2, 3, 4, lengths 4, 3, 2, 1."""
    mask = torch.arange(4) < torch.tensor([[4], [3], [2], [1]])
    entropy = torch.tensor([[1.0], [2.0], [3.0], [4.0]], dtype=D).expand(4, 4)
    return Experience(
        rewards=torch.tensor([1.0, 0.0, 1.0, 1.0], dtype=D),
        mask=mask,
        group=torch.zeros(4, dtype=torch.int64),
        source=torch.zeros(4, dtype=torch.int64),
        old_logp=torch.zeros(4, 4, dtype=D),
        old_entropy=entropy,
    )


def credit(group: Experience, **changes: Any) -> list[float]:
    return ConditionalGroup(**BASE | changes)(group).values[:, 0].tolist()


def test_between_and_within_halves(group: Experience) -> None:
    assert credit(group) == [0.0, -1.0, 0.5, 0.5]
    assert credit(group, between=0.0) == [0.5, -0.5, 0.0, 0.0]
    assert credit(group, between=0.5) == pytest.approx(GroupCentred()(group).values[:, 0].tolist())


def test_by_length_the_halves_change_places(group: Experience) -> None:
    """Long: rewards 1 and 0, mean ½; short: 1 and 1."""
    assert credit(group, metric="length") == [0.0, -1.0, 0.5, 0.5]
    assert credit(group, metric="length", handicap=0.8) == pytest.approx([-0.2, -1.0, 0.6, 0.6])


def test_the_handicap_by_entropy_is_the_low_halfs(group: Experience) -> None:
    assert credit(group, handicap=0.8) == pytest.approx([-0.2, -1.0, 0.6, 0.6])
    swapped = replace(group, rewards=group.rewards.flip(0))
    assert credit(swapped, handicap=0.8) == pytest.approx([0.3, 0.3, -0.8, 0.2])


def test_two_groups_ties_and_an_odd_one(group: Experience) -> None:
    """Equal entropies: the first sampled are the low half; of three one is. Interleaved rows change nothing."""
    mixed = replace(group, group=torch.tensor([0, 1, 0, 0]), old_entropy=torch.ones(4, 4, dtype=D))
    assert ConditionalGroup(**BASE)._is_upper_half(mixed).tolist() == [False, True, True, True]


def test_equal_rewards_teach_nothing_at_any_mix(group: Experience) -> None:
    level = replace(group, rewards=torch.full((4,), 0.3, dtype=D))
    assert credit(level) == credit(level, between=0.37) == [0.0] * 4


def test_the_accuracy_moves_the_comparison_between_halves_forward(group: Experience) -> None:
    """Mean reward ¾: accuracy means μ = ¾, reversed ¼."""
    forward = [0.75 * b + 0.25 * w for b, w in zip([0.0, -1.0, 0.5, 0.5], [0.5, -0.5, 0.0, 0.0])]
    back = [0.25 * b + 0.75 * w for b, w in zip([0.0, -1.0, 0.5, 0.5], [0.5, -0.5, 0.0, 0.0])]
    assert credit(group, schedule="accuracy") == pytest.approx(forward)
    assert credit(group, schedule="accuracy_reversed") == pytest.approx(back)


@pytest.mark.parametrize(("step", "within"), [(0, 0.02), (29, 0.6), (50, 0.3), (70, 0.6)])
def test_the_cosine_restarts(group: Experience, step: int, within: float) -> None:
    assert cosine_with_restarts(step, high=0.6, low=0.0) == pytest.approx(within)
    mix = ConditionalGroup(**BASE | {"schedule": "cosine"}).mix(replace(group, step=step))
    assert mix == pytest.approx(1 - within)
    reversed_mix = ConditionalGroup(**BASE | {"schedule": "cosine_reversed"}).mix(replace(group, step=30))
    assert reversed_mix == pytest.approx(1.0)


@pytest.mark.parametrize("key", ["metric", "schedule"])
def test_a_name_that_means_nothing_is_refused(key: str) -> None:
    with pytest.raises(UserError, match=f"algorithm.estimator.{key}=colour"):
        ConditionalGroup(**BASE | {key: "colour"})

"""ARES: what counts as an uncertain window, and the score of each difficulty, by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from tvo_cli.advantage import DifficultyEntropyReward
from tvo_cli.advantage.difficulty_entropy import score_of_windows
from tvo_cli.types import Experience

D = torch.float64
BASE: dict[str, Any] = {"window": 2, "percentile": 0.5, "average": 0.9, "start": 0.5, "rate": 0.0, "largest": 2.0}


@pytest.fixture
def batch() -> Experience:
    """Three responses of 5, 5 and 2 tokens; windows of two follow the first three tokens of the first two."""
    entropy = torch.tensor([[9.0, 1.0, 1.0, 3.0, 3.0], [0.0, 0.0, 2.0, 2.0, 0.0], [5.0, 5.0, 8.0, 8.0, 8.0]], dtype=D)
    return Experience(
        rewards=torch.tensor([1.0, 1.0, 0.0], dtype=D),
        mask=torch.arange(5) < torch.tensor([[5], [5], [2]]),
        group=torch.zeros(3, dtype=torch.int64),
        source=torch.zeros(3, dtype=torch.int64),
        old_logp=torch.zeros(3, 5, dtype=D),
        old_entropy=entropy,
        correct=torch.tensor([True, True, False]),
    )


def test_windows_are_the_tokens_that_follow(batch: Experience) -> None:
    """After the tokens: 1, 2, 3 and 1, 2, 1; a response of two tokens has no whole window."""
    means, whole = DifficultyEntropyReward(**BASE)._window_means(batch)
    assert means[whole].tolist() == [1.0, 2.0, 3.0, 1.0, 2.0, 1.0]
    assert whole.sum(1).tolist() == [3, 3, 0]


def test_the_first_threshold_is_the_batchs_own_and_then_it_is_averaged(batch: Experience) -> None:
    """Medians of the windows 2 and 1; torch's median of two is the lower one."""
    made = DifficultyEntropyReward(**BASE)
    made.end_batch(batch)
    assert made.threshold == 1.0
    assert batch.old_entropy is not None
    made.end_batch(replace(batch, old_entropy=2 * batch.old_entropy))
    assert made.threshold == pytest.approx(0.9 * 1.0 + 0.1 * 2.0)


def test_rewards_follow_the_difficulty(batch: Experience) -> None:
    """θ = 1: windows 3, 3, 0, two of three right: easy. The mean is 2; its margin 1: the excess is 1, 1, −2."""
    found = DifficultyEntropyReward(**BASE, threshold=1.0)(batch) - batch.rewards
    assert found.tolist() == pytest.approx([0.0, 0.0, 0.5 * 0.5 * 0.6])


@pytest.mark.parametrize(
    ("excess", "level", "right", "expected"),
    [
        (2.0, "easy", True, -0.5 * 0.25 / 3),  # ½·1²/2 beyond the margin of 1, over 1 + 2
        (9.0, "easy", True, -0.5),  # 8 − 1 over 3, held by the cap
        (-9.0, "easy", True, 0.0),
        (-3.0, "medium", True, -0.5 * (0.5 * 4 / 3) / 4),
        (1.0, "hard", True, 0.6 / (1 + math.exp(-2 / 3))),
        (-3.0, "hard", True, -0.6 * 0.5 * (0.5 * 4 / 4) / 5),
        (3.0, "hard", False, 0.6 / (1 + math.exp(-2 / 3))),
        (3.0, "medium", False, 0.4 / (1 + math.exp(-2 / 2.5))),
    ],
)
def test_the_score_of_each_difficulty(excess: float, level: str, right: bool, expected: float) -> None:
    """Target 2, α = ½: margin 1, cap ½, and 0.6 for hard ones."""
    assert score_of_windows(excess, 2.0, level, right, 0.5) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("excess", "level", "right", "expected"),
    [
        (3.0, "easy", True, 0.0),  # 15% of 20 are allowed
        (4.0, "easy", True, -0.5 * 0.25 / 5),  # ½·1²/2 beyond them, over 3 + 2
        (8.0, "easy", True, -0.5 * 4 / 5),  # 5 beyond: 5 − ½·2
        (5.0, "easy", False, 0.3 / (1 + math.exp(-1))),  # 2 beyond, of softness 2; 0.6 of the cap
        (-5.0, "medium", True, 0.0),  # 25%, to both sides
        (7.0, "medium", True, -0.5 * (0.5 * 4 / 3) / 8),  # ½·2²/3 over 5 + 3
        (-7.0, "medium", True, -0.5 * (0.5 * 4 / 3) / 8),
        (7.5, "medium", False, 0.4 / (1 + math.exp(-1))),  # 2.5 beyond, of softness 2.5; 0.8 of the cap
        (-4.0, "hard", True, 0.6 / (1 + math.exp(-1))),  # 3 above −35%, of softness 3
        (-9.0, "hard", True, -0.6 * 0.5 * (0.5 * 4 / 4) / 11),  # 2 below: ½·½·2²/4 over 7 + 4
        (10.0, "hard", False, 0.6 / (1 + math.exp(-1))),  # 3 beyond; all of the cap
    ],
)
def test_the_margin_of_many_windows_is_a_share_of_the_target(
    excess: float, level: str, right: bool, expected: float
) -> None:
    """Target 20, α = ½: margins 3, 5 and 7, caps ½, ½ and 0.6."""
    assert score_of_windows(excess, 20.0, level, right, 0.5) == pytest.approx(expected, abs=1e-12)


def test_no_strength_changes_no_bit(batch: Experience) -> None:
    assert torch.equal(DifficultyEntropyReward(**BASE | {"start": 0.0})(batch), batch.rewards)


def test_strengths_move_with_the_rounding_of_their_target_and_are_carried(batch: Experience) -> None:
    """With a third token in the last response its windows are 3, 3, 1 at θ = 1: 7/3 against a target of 2."""
    three = replace(batch, mask=torch.arange(5) < torch.tensor([[5], [5], [3]]))
    made = DifficultyEntropyReward(**BASE | {"rate": 0.3}, threshold=1.0)
    made.end_batch(three)
    assert made.strengths["easy"] == pytest.approx(0.5 + 0.3 * (7 / 3 - 2)) and made.strengths["hard"] == 0.5
    none_right = replace(three, correct=torch.zeros(3, dtype=torch.bool))
    hard = DifficultyEntropyReward(**BASE | {"rate": 0.3}, threshold=1.0)
    hard.end_batch(none_right)
    assert hard.strengths["hard"] == pytest.approx(0.5 - 0.3 * (7 / 3 - 2)), "exploring beyond it is paid for less"
    twin = DifficultyEntropyReward(**BASE | {"rate": 0.3})
    twin.load_state_dict(made.state_dict())
    assert torch.equal(twin(three), made(three))

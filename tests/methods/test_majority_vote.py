"""Majority vote: counted by hand, with ties, missing answers, and rewards that are not read."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tvo_cli.methods.majority_vote import majority_vote
from tvo_cli.types import Experience

NEUTRAL: dict[str, tuple[str, list[str]]] = {
    "ettrl": (
        "grpo",
        ["~algorithm.reward_shaping.majority_vote", "algorithm.advantage_shaping.relative_confidence.strength=0"],
    )
}


def voted(experience: Experience, answers: list[int], group: list[int]) -> list[float]:
    rewards, blank = torch.arange(len(answers), dtype=torch.float64), torch.zeros(len(answers), 3)
    made = replace(experience, mask=blank.bool(), old_logp=blank, rewards=rewards, source=rewards.long())
    made = replace(made, group=torch.tensor(group), answer=torch.tensor(answers))
    return majority_vote(made).tolist()


@pytest.mark.parametrize(
    ("answers", "group", "rewards"),
    [
        ([0, 0, 1, -1], [0, 0, 0, 0], [1, 1, 0, 0]),
        ([0, 1, 1, 2, 0, 0], [0, 0, 0, 1, 1, 1], [0, 1, 1, 0, 1, 1]),
        ([0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]),  # tied: nothing is taught
        ([-1, -1, -1, 0], [0, 0, 1, 1], [0, 0, 0, 1]),  # nobody answered; one answer alone has the most votes
        ([0, -1, -1, -1], [0, 0, 0, 0], [1, 0, 0, 0]),  # what gives no answer has no vote
    ],
)
def test_the_answer_of_most_is_rewarded(
    f0_experience: Experience, answers: list[int], group: list[int], rewards: list[float]
) -> None:
    assert voted(f0_experience, answers, group) == rewards


def test_without_answers_it_says_what_is_missing(f0_experience: Experience) -> None:
    with pytest.raises(ValueError, match=r"algorithm\.objective\.reads\.answers must be true"):
        majority_vote(replace(f0_experience, answer=None))

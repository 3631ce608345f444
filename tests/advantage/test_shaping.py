"""Shapings around an estimator: their order, what each is given, and what is carried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tvo_cli.advantage import GroupCentred, GroupNormalised, ShapedEstimator, shaped_estimator
from tvo_cli.types import Advantage, Experience


@dataclass
class Counting:
    """A reward shaping that remembers how many batches it has seen: rewards plus that many."""

    batches: int = 0

    def __call__(self, experience: Experience) -> Tensor:
        return experience.rewards * (1 + self.batches)

    def end_batch(self, experience: Experience) -> None:
        self.batches += 1

    def state_dict(self) -> dict[str, float]:
        return {"batches": float(self.batches)}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        self.batches = int(state["batches"])


def doubled(experience: Experience, advantage: Advantage) -> Advantage:
    return replace(advantage, values=advantage.values * 2)


def shifted_by_reward(experience: Experience, advantage: Advantage) -> Advantage:
    return replace(advantage, values=advantage.values + experience.rewards[:, None])


def test_rewards_come_first_then_the_estimator_then_advantages_in_order(f0_experience: Experience) -> None:
    made = ShapedEstimator(GroupCentred(), {"count": Counting(1)}, {"a": doubled, "b": shifted_by_reward})
    found = made(f0_experience).values[:, 0]
    assert found.tolist() == [2 * 1.0 + 2.0, -2.0, -2.0, 4.0]  # rewards 2, 0, 0, 2; centred ±1, twice, plus the reward


def test_without_shapings_it_is_the_estimator_itself() -> None:
    estimator = GroupNormalised(1e-6)
    assert shaped_estimator(estimator, {}, {}) is estimator


def test_what_shapings_remember_survives_a_checkpoint(f0_experience: Experience) -> None:
    made, twin = (ShapedEstimator(GroupCentred(), {"count": Counting()}, {"a": doubled}) for _ in range(2))
    made.end_batch(f0_experience)
    assert made.state_dict() == {"count.batches": 1.0}
    twin.load_state_dict(made.state_dict())
    assert torch.equal(twin(f0_experience).values, made(f0_experience).values)

"""What a weighting of a reward's terms is, the fixed one, and a batch with its rewards weighted anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import torch

from tvo_cli.reward.reward_sum import weighted_reward_sum
from tvo_cli.training.reward_terms.reward_term_values import terms_of_batch
from tvo_cli.types import Advantage

if TYPE_CHECKING:
    from tvo_cli.training.batch import RolloutBatch
    from tvo_cli.training.session import Session


class RewardWeighting(Protocol):
    """How the terms of a reward are weighted, and what it remembers from step to step."""

    reads_evaluations: ClassVar[bool]

    def scaled(self, advantage: Advantage) -> Advantage: ...

    def weighted(self, session: Session, batch: RolloutBatch) -> RolloutBatch: ...

    def read_evaluation(self, means: Mapping[str, float], step: int) -> dict[str, float]: ...

    def metrics(self) -> dict[str, float]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


class FixedWeighting:
    """The weights of the config, from the first step to the last."""

    reads_evaluations: ClassVar[bool] = False

    def scaled(self, advantage: Advantage) -> Advantage:
        """Unchanged."""
        return advantage

    def weighted(self, session: Session, batch: RolloutBatch) -> RolloutBatch:
        """Unchanged."""
        return batch

    def read_evaluation(self, means: Mapping[str, float], step: int) -> dict[str, float]:
        """Nothing follows from it."""
        return {}

    def metrics(self) -> dict[str, float]:
        """None."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Nothing to carry."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore."""


def with_weighted_rewards(session: Session, batch: RolloutBatch, weights: Mapping[str, float]) -> RolloutBatch:
    """The batch with the rewards of these weights over all terms, and the advantages that follow."""
    group = batch.rollout.group.tolist()
    rewards = tuple(weighted_reward_sum(terms_of_batch(session, batch), weights, group, [0.0] * len(group)))
    chosen = replace(batch.drawn.chosen, rewards=rewards[batch.chosen_rows])
    experience = replace(batch.experience, rewards=torch.tensor(rewards).to(batch.experience.rewards))
    return replace(
        batch,
        drawn=replace(batch.drawn, chosen=chosen, draws=(chosen,)),
        experience=experience,
        advantage=session.learner.algorithm.estimator(experience),
    )

"""Shaping: an estimator whose rewards, or the advantages that it returns, methods change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from torch import Tensor

from tvo_cli.advantage.estimator import Estimator
from tvo_cli.maths.piece_marks import does_teach_equal_rewards
from tvo_cli.types import Advantage, Experience


class RewardShaping(Protocol):
    """Experience → other rewards, [B]."""

    def __call__(self, experience: Experience, /) -> Tensor: ...


class AdvantageShaping(Protocol):
    """Experience and the advantage estimated of it → another advantage."""

    def __call__(self, experience: Experience, advantage: Advantage, /) -> Advantage: ...


@dataclass(slots=True)
class ShapedEstimator:
    """Â = a_n(… a_1(estimator(R ← r_m(… r_1(R))))): once a rollout batch, before it is cut into minibatches.

    Shapings act in the order of the yaml. One that remembers has `end_batch(experience)`, `state_dict` and
    `load_state_dict`, as an estimator has. Without shapings it is the estimator.
    """

    estimator: Estimator
    rewards: Mapping[str, RewardShaping]
    advantages: Mapping[str, AdvantageShaping]

    @property
    def minimum_samples(self) -> int:
        """The estimator's."""
        return self.estimator.minimum_samples

    @property
    def minimum_prompts(self) -> int:
        """The estimator's."""
        return self.estimator.minimum_prompts

    @property
    def needs_critic(self) -> bool:
        """The estimator's."""
        return self.estimator.needs_critic

    @property
    def needs_reference(self) -> bool:
        """The estimator's."""
        return self.estimator.needs_reference

    @property
    def teaches_equal_rewards(self) -> bool:
        """Whether a group of equal rewards may get an advantage."""
        own = getattr(self.estimator, "teaches_equal_rewards", False)
        return bool(own or self.rewards or any(map(does_teach_equal_rewards, self.advantages.values())))

    def __call__(self, experience: Experience) -> Advantage:
        """Estimate Â, [B, T]."""
        rewarded = self.with_shaped_rewards(experience)
        advantage = self.estimator(rewarded)
        for shaping in self.advantages.values():
            advantage = shaping(rewarded, advantage)
        return advantage

    def with_shaped_rewards(self, experience: Experience) -> Experience:
        """The experience with the rewards that the estimator is given."""
        for shaping in self.rewards.values():
            experience = replace(experience, rewards=shaping(experience))
        return experience

    def end_batch(self, experience: Experience) -> None:
        """Let the estimator, and the shapings that remember, learn from this batch, for the next."""
        rewarded = self.with_shaped_rewards(experience)
        self.estimator.end_batch(rewarded)
        for name, shaping in self._remembering():
            shaping.end_batch(experience if name in self.rewards else rewarded)

    def readings(self) -> dict[str, float]:
        """What the shapings that have something to say of themselves say."""
        every = (*self.rewards.values(), *self.advantages.values())
        told = (one.readings() for one in every if hasattr(one, "readings"))
        return {name: value for found in told for name, value in found.items()}

    def _remembering(self) -> Iterator[tuple[str, Any]]:
        for name, shaping in (*self.rewards.items(), *self.advantages.items()):
            if hasattr(shaping, "state_dict"):
                yield name, shaping

    def state_dict(self) -> dict[str, float]:
        """The estimator's, and those of the shapings under their names."""
        own = {f"{name}.{key}": value for name, one in self._remembering() for key, value in one.state_dict().items()}
        return self.estimator.state_dict() | own

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.estimator.load_state_dict(state)
        for name, shaping in self._remembering():
            prefix = f"{name}."
            own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
            shaping.load_state_dict(own)


def shaped_rewards(estimator: Estimator, experience: Experience) -> Tensor | None:
    """The rewards that the estimator is given, [B], where shapings change them."""
    if not isinstance(estimator, ShapedEstimator) or not estimator.rewards:
        return None
    return estimator.with_shaped_rewards(experience).rewards


def shaping_readings(estimator: Estimator) -> dict[str, float]:
    """What the shapings of an estimator say of themselves; nothing where there are none."""
    return estimator.readings() if isinstance(estimator, ShapedEstimator) else {}


def shaped_estimator(
    estimator: Estimator, rewards: Mapping[str, RewardShaping], advantages: Mapping[str, AdvantageShaping]
) -> Estimator:
    """The estimator with these shapings; itself where there are none."""
    return ShapedEstimator(estimator, rewards, advantages) if rewards or advantages else estimator

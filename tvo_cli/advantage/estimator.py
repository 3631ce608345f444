"""What an advantage estimator is, the base of those without state, and the scale κ of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

from tvo_cli.types import Advantage, Experience


class Estimator(Protocol):
    """Experience → Advantage. State comes from earlier batches only, so that the baseline stays unbiased."""

    @property
    def minimum_samples(self) -> int: ...  # responses a prompt without which the baseline does not exist

    @property
    def minimum_prompts(self) -> int: ...

    @property
    def needs_critic(self) -> bool: ...

    @property
    def needs_reference(self) -> bool: ...

    def __call__(self, experience: Experience) -> Advantage: ...

    def end_batch(self, experience: Experience) -> None: ...

    def state_dict(self) -> dict[str, float]: ...

    def load_state_dict(self, state: Mapping[str, float]) -> None: ...


class StatelessEstimator:
    """An estimator that learns nothing from batch to batch and needs no critic or reference."""

    minimum_samples: ClassVar[int] = 1
    minimum_prompts: ClassVar[int] = 1
    needs_critic: ClassVar[bool] = False
    needs_reference: bool = False
    of_whole_batch: ClassVar[bool] = False  # whether Â of a response depends on those to other prompts

    def end_batch(self, experience: Experience) -> None:
        """Nothing to learn."""

    def state_dict(self) -> dict[str, float]:
        """Nothing to carry."""
        return {}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Nothing to restore."""


def batch_scale(spread: float, epsilon: float) -> float:
    """κ = 1/(spread + ε), and 1 for a batch without spread (at most ε): its advantages are 0 at any κ.

    Forces that are measured in units of reward would otherwise act 1/ε times as strongly on a batch of equal rewards.
    """
    return 1.0 / (spread + epsilon) if spread > epsilon else 1.0

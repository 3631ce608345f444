"""What an advantage estimator is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

from torch import Tensor

from tvo_cli.types import Advantage, Experience


class Estimator(Protocol):
    """Experience → Advantage. State comes from earlier batches only, so that the baseline stays unbiased."""

    minimum_samples: ClassVar[int]  # responses a prompt without which the baseline does not exist
    minimum_prompts: ClassVar[int]
    needs_critic: ClassVar[bool]
    needs_reference: bool

    def __call__(self, experience: Experience) -> Advantage: ...

    def end_batch(self, experience: Experience) -> None: ...

    def state_dict(self) -> dict[str, float]: ...

    def load_state_dict(self, state: Mapping[str, float]) -> None: ...


class Stateless:
    """An estimator that learns nothing from batch to batch and needs no critic or reference."""

    minimum_samples: ClassVar[int] = 1
    minimum_prompts: ClassVar[int] = 1
    needs_critic: ClassVar[bool] = False
    needs_reference: bool = False

    def end_batch(self, experience: Experience) -> None:
        """Nothing to learn."""

    def state_dict(self) -> dict[str, float]:
        """Nothing to carry."""
        return {}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Nothing to restore."""


def spread(per_response: Tensor, mask: Tensor) -> Tensor:
    """One value a response [B] to one a token [B, T], 0 on padding."""
    return per_response.unsqueeze(1) * mask

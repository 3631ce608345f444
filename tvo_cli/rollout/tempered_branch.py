"""Tempered branch: beside the batch, a few groups sampled hotter or colder, whose right answers steer the entropy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tvo_cli.errors import UserError


@dataclass(slots=True)
class TemperedBranch:
    """The first ⌈share·P⌉ prompts (at least one) are sampled once more, at T = clip(1 + H* − H, low, high).

    Arbitrary-entropy policy optimisation in its later form, SCOPE-RL, arXiv:2510.08141: H is the mean token entropy
    (nats) of the batch before, 0 before the first, so that the branch heats first. Below the target H* it is sampled
    hot, and right answers that were drawn hot raise the entropy; above it, cold ones lower it. What is learnt of it
    is `tvo_cli.methods.scope`.

    Fidelity: notes (as `tvo_cli.methods.scope.scope`, whose loss it feeds).

    share = 0 recovers `EveryGroup`.
    """

    size: ClassVar[int] = 1
    most: ClassVar[int] = 1

    target: float  # H*, nats a token
    low: float
    high: float
    share: float  # of the prompts
    entropy: float = 0.0  # H

    def __post_init__(self) -> None:
        """Temperatures are above 0, and the bounds are in order."""
        if not self.low > 0.0:
            raise UserError("algorithm.sampling.low", self.low, "must be above 0: a branch at 0 is greedy.")
        if self.low > self.high:
            problem = f"is above algorithm.sampling.high={self.high}."
            raise UserError("algorithm.sampling.low", self.low, problem, "Exchange them.")

    def fit(self, right: Sequence[bool | None], group: Sequence[int]) -> list[bool]:
        """True for every prompt, [P]."""
        return [True] * (max(group) + 1)

    def extra_prompts(self, prompts: int) -> int:
        """How many of the prompts are sampled once more."""
        return max(1, math.ceil(self.share * prompts - 1e-9)) if self.share else 0

    @property
    def temperature(self) -> float:
        """T of the branch, a factor on the sampling temperature."""
        return min(max(1.0 + self.target - self.entropy, self.low), self.high)

    def end_batch(self, entropy: float) -> None:
        """A rollout batch of this mean token entropy is done."""
        self.entropy = entropy

    def state_dict(self) -> dict[str, float]:
        """H."""
        return {"entropy": self.entropy}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.entropy = state["entropy"]

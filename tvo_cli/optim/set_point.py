"""Set points of the viscosity: the mean binary TV that a rollout batch may cost, d̄_k, in probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from tvo_cli.maths import masked
from tvo_cli.maths.thermodynamics import logit_susceptibility


class SetPoint(Protocol):
    """Old log-probabilities [B, T] and mask [B, T] of a rollout batch → d̄ before cooling."""

    def __call__(self, old_logp: Tensor, mask: Tensor) -> float: ...


@dataclass(frozen=True, slots=True)
class LogitDisplacement:
    """d̄ = displacement · mean_t π_old(1 − π_old): a constant displacement in logits, |dπ| ≈ π(1−π)|d logit|.

    docs/tvo.md, section 5. Unit of displacement: nats of logit a batch.
    """

    displacement: float

    def __call__(self, old_logp: Tensor, mask: Tensor) -> float:
        """d̄ of this batch; never below 1e-6, where a policy has become deterministic."""
        return max(self.displacement * float(masked.mean(logit_susceptibility(old_logp), mask)), 1e-6)


@dataclass(frozen=True, slots=True)
class Probability:
    """A set point d̄ that is constant, as in the first study (0.012)."""

    value: float

    def __call__(self, old_logp: Tensor, mask: Tensor) -> float:
        """d̄ of this batch."""
        return self.value

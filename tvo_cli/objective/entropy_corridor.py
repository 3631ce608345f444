"""A corridor for the entropy: a bonus everywhere, weaker above the corridor around its own past and stronger below."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tvo_cli.objective.reduction import weighted_token_sum
from tvo_cli.types import Tokens


@dataclass(slots=True)
class EntropyCorridor:
    """λ · reduce[ −H + β_k · α · P ],  P = max(0, low·H̄ − H) + max(0, H − high·H̄),  β_k = 1 + exp(−γ · k/middle).

    EPO, Xu et al. 2025, arXiv:2509.22576, version 2, eq. 6, for one turn: H̄ is the mean over all earlier rollout
    batches of their mean token entropy, k how many there are; without one P is 0. A token's entropy is descended with
    −λ inside the corridor, −λ(1 − β_k·α) above it and −λ(1 + β_k·α) below it, times its share. Nats.

    Fidelity: paper (the penalty is the differentiable one of its version 2; the released code adds α as a constant
    outside the corridor, whose gradient is 0, keeps a history for each turn, and acts in late turns only; its loss is a
    mean over tokens, dual-clipped at 3).

    coef: λ; 0 recovers the algorithm without it. scale: α; 0 recovers the plain entropy bonus.
    low, high: of H̄; with low = 0, as in the paper's runs, only the upper side acts.
    phase: γ. middle: half the steps of the run.
    """

    awaits_start: ClassVar[bool] = False
    reads_reference: ClassVar[bool] = False

    coef: float
    scale: float
    low: float
    high: float
    phase: float
    middle: float
    total: float = 0.0  # sum of the mean entropies of earlier batches
    batches: int = 0

    def __call__(self, tokens: Tokens) -> Tensor:
        """What these tokens add to the loss, []."""
        found = -tokens.entropy + self.strength * self.distance(tokens.entropy)
        return self.coef * weighted_token_sum(found, tokens)

    @property
    def strength(self) -> float:
        """β_k·α of the batch under way."""
        return self.scale * (1.0 + math.exp(-self.phase * self.batches / self.middle))

    def distance(self, entropy: Tensor) -> Tensor:
        """P of each token, [B, T], nats; 0 inside the corridor and while nothing is known of the past."""
        if self.batches == 0:
            return torch.zeros_like(entropy)
        mean = self.total / self.batches
        return (self.low * mean - entropy).clamp(min=0.0) + (entropy - self.high * mean).clamp(min=0.0)

    def start(self, tokens: Tokens) -> None:
        """The past begins with the first batch's end."""

    def end_batch(self, entropy: float) -> None:
        """A rollout batch of this mean token entropy is past."""
        self.total, self.batches = self.total + entropy, self.batches + 1

    def state_dict(self) -> dict[str, float]:
        """The past."""
        return {"total": self.total, "batches": float(self.batches)}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.total, self.batches = state["total"], int(state["batches"])

"""The level of a token's log-entropy among the others: what HAPO's pieces follow."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from tvo_cli.maths import masked

TINY = 1e-8  # nats, and the least spread


class EntropyLevels(NamedTuple):
    """What turns an entropy into its level: h = (log H − pivot)/spread, then over `most` above 0 and |least| below."""

    pivot: float
    spread: float
    most: float
    least: float

    def level(self, entropy: Tensor) -> Tensor:
        """h̃, the shape of the entropy (nats), 0 at the pivot, 1 and −1 at the extremes that were seen."""
        h = (entropy.clamp(min=TINY).log() - self.pivot) / self.spread
        return torch.where(h > 0, h / self.most, h / -self.least)


def entropy_levels(entropy: Tensor, mask: Tensor, quantile: float) -> EntropyLevels:
    """Of log max(H, 1e-8) over the mask: its quantile Q (nearest rank), √mean(log H − Q)², and the extremes of h.

    HAPO, arXiv:2509.16591. Where nothing is under the mask every level is 0 at an entropy of 1 nat.
    """
    if not bool(mask.any()):
        return EntropyLevels(0.0, 1.0, 1.0, -1.0)
    y = entropy.clamp(min=TINY).log()
    ordered = y[mask].sort().values
    centred = torch.where(mask, y - ordered[round(quantile * (len(ordered) - 1))], 0.0)
    spread = masked.mean(centred.square(), mask).clamp(min=TINY).sqrt()
    most, least = (float(edge / spread) for edge in (centred.max(), centred.min()))
    pivot = float(ordered[round(quantile * (len(ordered) - 1))])
    return EntropyLevels(pivot, float(spread), max(most, TINY), min(least, -TINY))

"""Loss balancing: weights of several objectives that are trained together, by how the loss of each moved lately."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

LEAST = 1e-3  # of a mean loss
LARGEST = 3.0  # of c


def window_weights(losses: Tensor, *, temperature: float) -> Tensor:
    """λ_k = K·softmax_k((c_k + i_k)/temperature), c_k = m_k/m'_k, i_k = s_k/(m_k + m'_k), of sum K, [K].

    Phan et al. 2025, RECAP, arXiv:2510.21978, equation 1. m_k and s_k are mean and spread (population) of the losses
    of the last window, m'_k the mean of the one before: an objective that falls (c < 1) counts less, one that stands
    still (c = 1) more, a volatile one (i > 0) more than a still one. Ours: no mean is below 1e-3, and no c above 3.

    Args:
        losses: positive, of the last 2W steps, oldest first, [K, 2W].
        temperature: inf recovers weights of 1.
    """
    if math.isinf(temperature):
        return torch.ones(len(losses), dtype=losses.dtype)
    before, now = losses.double().chunk(2, dim=1)
    mean, earlier = now.mean(1).clamp(min=LEAST), before.mean(1).clamp(min=LEAST)
    convergence = (mean / earlier).clamp(max=LARGEST)
    instability = now.std(1, correction=0) / (mean + earlier)
    weights = len(losses) * torch.softmax((convergence + instability) / temperature, 0)
    return weights.to(losses.dtype)


@dataclass(slots=True)
class LossWindows:
    """The losses of the last two windows of each objective, and the weights that follow from them."""

    window: int  # W, batches
    temperature: float
    losses: dict[str, list[float]] = field(default_factory=dict)  # by objective, the last 2·window, oldest first

    def take(self, name: str, loss: float) -> None:
        """The loss of an objective in a batch."""
        self.losses[name] = [*self.losses.get(name, []), loss][-2 * self.window :]

    @property
    def weights(self) -> dict[str, float]:
        """λ by objective: 1 until each has had two windows, and where there is one."""
        names = sorted(self.losses)
        if len(names) < 2 or any(len(self.losses[name]) < 2 * self.window for name in names):
            return dict.fromkeys(names, 1.0)
        losses = torch.tensor([self.losses[name] for name in names], dtype=torch.float64)
        return dict(zip(names, window_weights(losses, temperature=self.temperature).tolist(), strict=True))

    def state_dict(self) -> dict[str, float]:
        """The losses by objective and place."""
        return {f"{name}#{i}": loss for name, losses in self.losses.items() for i, loss in enumerate(losses)}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.losses = {}
        for key, loss in sorted(state.items(), key=lambda item: int(item[0].rpartition("#")[2])):
            self.losses.setdefault(key.rpartition("#")[0], []).append(loss)

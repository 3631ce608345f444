"""The weighting of a reward's terms by their own gradients: mirror ascent, once or every few steps.

Lu et al. 2025, arXiv:2509.11452; the arithmetic is in maths/hypervolume_and_mirror_ascent.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from tvo_cli.maths.hypervolume_and_mirror_ascent import influences, mirror_ascent
from tvo_cli.training.reward_terms.reward_term_gradients import gradients_of_terms
from tvo_cli.training.reward_terms.reward_weighting import FixedWeighting, with_weighted_rewards

if TYPE_CHECKING:
    from tvo_cli.training.batch import RolloutBatch
    from tvo_cli.training.session import Session


@dataclass(slots=True)
class GradientWeighting(FixedWeighting):
    """Weighting by mirror ascent on the weights: an objective whose gradient agrees with the sum of all gains weight.

    Weights keep their sum: they begin at those of the config.

    Fidelity: official code (the same weights to 1e-15 on random gradients; the floor is ours. There the gradients are
    of chosen layers, 10 to 25 in the released scripts, of the loss with its KL, and clipped at a norm of 1; here of all
    parameters and of the surrogate alone, not clipped. How they are taken was read, not run).
    """

    weights: Mapping[str, float]  # of the config, each more than 0
    rate: float
    every: int  # steps whose influences are averaged before the weights move
    normalise: bool
    floor: float  # least share of the sum
    shares: list[float] = field(default_factory=list)  # of sum 1, in the order of `weights`
    summed: list[float] = field(default_factory=list)  # influences since the last move
    seen: int = 0

    def __post_init__(self) -> None:
        """Begin at the config's weights."""
        if not self.shares:
            self.shares = [weight / self.total for weight in self.weights.values()]

    @property
    def total(self) -> float:
        """Σ_k w_k."""
        return sum(self.weights.values())

    @property
    def current(self) -> dict[str, float]:
        """The weights as they are now, by name."""
        return {name: self.total * share for name, share in zip(self.weights, self.shares, strict=True)}

    def weighted(self, session: Session, batch: RolloutBatch) -> RolloutBatch:
        """The batch with rewards and advantages by the weights that its own gradients lead to."""
        self.read_gradients(gradients_of_terms(session, batch))
        return with_weighted_rewards(session, batch, self.current)

    def read_gradients(self, gradients: torch.Tensor) -> None:
        """Take the gradients of a step in, [K, d]; the weights move after every so many."""
        found = influences(gradients, normalise=self.normalise).tolist()
        self.summed = [a + b for a, b in zip(self.summed or [0.0] * len(found), found, strict=True)]
        self.seen += 1
        if self.seen < self.every:
            return
        mean = torch.tensor(self.summed, dtype=torch.float64) / self.seen
        shares = torch.tensor(self.shares, dtype=torch.float64)
        if bool(torch.isfinite(mean).all()):  # else what is not finite is told by the update, which is left out
            self.shares = mirror_ascent(shares, mean, rate=self.rate, floor=self.floor).tolist()
        self.summed, self.seen = [], 0

    def metrics(self) -> dict[str, float]:
        """The weights."""
        return {f"reward/{name}/weight": weight for name, weight in self.current.items()}

    def state_dict(self) -> dict[str, Any]:
        """The shares, and the influences since they moved."""
        return {"shares": list(self.shares), "summed": list(self.summed), "seen": self.seen}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore `state_dict`."""
        if state:
            self.shares, self.summed = _weights_as_floats(state["shares"]), _weights_as_floats(state["summed"])
            self.seen = int(state["seen"])


def _weights_as_floats(values: Sequence[Any]) -> list[float]:
    """The weights of mirror ascent as plain floats, for metrics and the checkpoint."""
    return [float(value) for value in values]

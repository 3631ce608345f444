"""RECAP: advantages weighed by the source of their problem, and an objective's weight, by how losses moved lately."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tvo_cli.advantage.estimator import Estimator
from tvo_cli.advantage.shaping import ShapedEstimator
from tvo_cli.maths.loss_balancing import LossWindows
from tvo_cli.types import Advantage, Experience

log = logging.getLogger("tvo")


@dataclass(slots=True)
class ReweightedSources(LossWindows):
    """Â_i ← λ_k·Â_i, k the source of i's problem: L = (1/K) Σ_k λ_k L_k where every source has its share of a batch.

    RECAP, arXiv:2510.21978. λ is `tvo_cli.maths.loss_balancing.window_weights` of L_k = 1 − mean reward of source
    k in the batches before this one; it is 1 until every source has had 2·window, and where there is one. A loss
    beside the responses (algorithm.next_token) is an objective like a source. The terms of one reward are weighed by
    `reward.weighting=recap`.

    Fidelity: notes (two restatements of the paper's equation 1 agree; its code and its W were not seen, nor whether the
    spread divides by W or W − 1, nor whether a step's weights count its own losses. L_k, the floor of 1e-3 under every
    mean and the bound of 3 on c are this project's: a surrogate's own value is about 0 and changes sign).

    temperature = inf recovers Â.
    """

    def __call__(self, experience: Experience, advantage: Advantage) -> Advantage:
        """Â of every response, times the weight of its source."""
        found = self.weights
        if all(weight == 1.0 for weight in found.values()):
            return advantage
        factor = [found.get(name, 1.0) for name in _names_of_sources(experience)]
        own = torch.tensor(factor, dtype=advantage.values.dtype, device=advantage.values.device)[experience.source]
        return replace(advantage, values=advantage.values * own[:, None])

    def end_batch(self, experience: Experience) -> None:
        """Take the losses of the batch's sources in, and those beside its responses."""
        names = _names_of_sources(experience)
        if not self.losses and len(names) == 1 and not experience.losses:
            log.warning(
                "RECAP weighs objectives, and there is one: it is its base. Take dataset=mixture, "
                "algorithm=recap_next_token, or reward.weighting=recap for the terms of a reward."
            )
        for index, name in enumerate(names):
            self.take(name, 1.0 - float(experience.rewards[experience.source == index].double().mean()))
        for name, loss in experience.losses.items():
            self.take(name, loss)

    def readings(self) -> dict[str, float]:
        """λ of each objective."""
        return {f"objective/weight/{name}": weight for name, weight in self.weights.items()}


def _names_of_sources(experience: Experience) -> tuple[str, ...]:
    """The sources by their index in `experience.source`."""
    return experience.sources or tuple(map(str, range(int(_largest(experience.source)) + 1)))


def _largest(index: Tensor) -> float:
    """The largest source number of a batch."""
    return float(index.max())


def weight_of_objective(estimator: Estimator, name: str) -> float:
    """λ of an objective beside the responses, where a shaping weighs objectives; else 1."""
    shapings = estimator.advantages.values() if isinstance(estimator, ShapedEstimator) else ()
    return next((one.weights.get(name, 1.0) for one in shapings if isinstance(one, LossWindows)), 1.0)

"""Advantages weighed by the source of their problem: how its losses moved lately decides."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from tvo_cli.maths.objective_weights import window_weights
from tvo_cli.types import Advantage, Experience

log = logging.getLogger("tvo")


@dataclass(slots=True)
class ReweightedSources:
    """Â_i ← λ_k·Â_i, k the source of i's problem: L = (1/K) Σ_k λ_k L_k where every source has its share of a batch.

    RECAP, arXiv:2510.21978. λ is `tvo_cli.maths.objective_weights.window_weights` of L_k = 1 − mean reward of source
    k in the batches before this one; it is 1 until every source has had 2·window, and where there is one source.

    Fidelity: notes (two restatements of the paper's equation 1 agree; its code and its W were not seen, nor whether the
    spread divides by W or W − 1, nor whether a step's weights count its own losses. L_k, the floor of 1e-3 under every
    mean and the bound of 3 on c are this project's: a surrogate's own value is about 0 and changes sign. An objective
    is a source of a mixture here; the terms of one reward are not weighed apart, and there is no next-token loss, which
    the paper puts beside them for data without a verifier).

    temperature = inf recovers Â.
    """

    window: int  # W, batches
    temperature: float
    losses: dict[str, list[float]] = field(default_factory=dict)  # by source, the last 2·window, oldest first

    def __call__(self, experience: Experience, advantage: Advantage) -> Advantage:
        """Â of every response, times the weight of its source."""
        found = self.weights
        if all(weight == 1.0 for weight in found.values()):
            return advantage
        factor = [found.get(name, 1.0) for name in _names_of_sources(experience)]
        own = torch.tensor(factor, dtype=advantage.values.dtype, device=advantage.values.device)[experience.source]
        return replace(advantage, values=advantage.values * own[:, None])

    @property
    def weights(self) -> dict[str, float]:
        """λ by source."""
        names = sorted(self.losses)
        if len(names) < 2 or any(len(self.losses[name]) < 2 * self.window for name in names):
            return dict.fromkeys(names, 1.0)
        losses = torch.tensor([self.losses[name] for name in names], dtype=torch.float64)
        return dict(zip(names, window_weights(losses, temperature=self.temperature).tolist(), strict=True))

    def end_batch(self, experience: Experience) -> None:
        """Take the losses of the batch's sources in."""
        names = _names_of_sources(experience)
        if not self.losses and len(names) == 1:
            log.warning(
                "RECAP weighs the sources of a mixture, and there is one: it is its base. Take dataset=mixture."
            )
        for index, name in enumerate(names):
            loss = 1.0 - float(experience.rewards[experience.source == index].double().mean())
            self.losses[name] = [*self.losses.get(name, []), loss][-2 * self.window :]

    def readings(self) -> dict[str, float]:
        """λ of each source."""
        return {f"objective/weight/{name}": weight for name, weight in self.weights.items()}

    def state_dict(self) -> dict[str, float]:
        """The losses by source and place."""
        return {f"{name}#{i}": loss for name, losses in self.losses.items() for i, loss in enumerate(losses)}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.losses = {}
        for key, loss in sorted(state.items(), key=lambda item: int(item[0].rpartition("#")[2])):
            self.losses.setdefault(key.rpartition("#")[0], []).append(loss)


def _names_of_sources(experience: Experience) -> tuple[str, ...]:
    """The sources by their index in `experience.source`."""
    return experience.sources or tuple(map(str, range(int(_largest(experience.source)) + 1)))


def _largest(index: Tensor) -> float:
    return float(index.max())

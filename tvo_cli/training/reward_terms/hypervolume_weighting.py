"""The weighting of a reward by the hypervolume of held-out evaluations: one factor for all advantages.

Lu et al. 2025, arXiv:2509.11452; the arithmetic is in maths/hypervolume_and_mirror_ascent.py.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from tvo_cli.maths.hypervolume_and_mirror_ascent import hypervolume, meta_factor
from tvo_cli.training.reward_terms.reward_weighting import FixedWeighting
from tvo_cli.types import Advantage

log = logging.getLogger("tvo")


@dataclass(slots=True)
class HypervolumeWeighting(FixedWeighting):
    """Advantages are multiplied by M = base + scale·tanh(ΔHV) of the last held-out evaluation.

    ΔHV is what its vector of mean rewards adds to the hypervolume of those before it; the first evaluation is the
    reference, before a second M is 1. For an estimator that is linear in the rewards M·Â is Â of M·r; one that
    divides by the rewards' spread would cancel M, hence Â.

    Fidelity: official code (the same M to 1e-15 on random evaluations; there M multiplies the rewards, after each
    update an evaluation is made, and one that is below the reference in a term may end the run in an error; here
    evaluations come as often as the run makes them, and such a one gains nothing).
    """

    reads_evaluations: ClassVar[bool] = True

    weights: Mapping[str, float]  # of every term that counts; one of negative weight is to be made small
    base: float
    scale: float
    factor: float = 1.0  # M
    points: list[list[float]] = field(default_factory=list)  # the reference, then each that added volume
    step: int = -1  # of the last evaluation: one that is made again after a resume counts once

    def scaled(self, advantage: Advantage) -> Advantage:
        """M·Â; returns and κ stay in units of reward."""
        return advantage if self.factor == 1.0 else replace(advantage, values=advantage.values * self.factor)

    def read_evaluation(self, means: Mapping[str, float], step: int) -> dict[str, float]:
        """Take the vector of an evaluation in; M for the steps after it."""
        missing = [name for name in self.weights if name not in means]
        if missing:
            log.warning("reward.weighting: no held-out response has a value of %s; M stays", ", ".join(missing))
        elif step != self.step:
            self._take([means[name] * (1.0 if weight > 0 else -1.0) for name, weight in self.weights.items()], step)
        return {"eval/hypervolume": hypervolume(self.points, self.points[0])} if self.points else {}

    def _take(self, point: list[float], step: int) -> None:
        self.step = step
        if not self.points:
            self.points = [point]
            return
        reference = self.points[0]
        gain = hypervolume([*self.points, point], reference) - hypervolume(self.points, reference)
        gain = max(gain, 0.0)  # rounding
        if gain > 0.0:
            self.points.append(point)
        self.factor = meta_factor(gain, base=self.base, scale=self.scale)

    def metrics(self) -> dict[str, float]:
        """M."""
        return {"reward/factor": self.factor}

    def state_dict(self) -> dict[str, Any]:
        """M, the points, and the step of the last."""
        return {"factor": self.factor, "points": [list(point) for point in self.points], "step": self.step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore `state_dict`."""
        if state:
            self.factor, self.step = float(state["factor"]), int(state["step"])
            self.points = [list(map(float, point)) for point in state["points"]]

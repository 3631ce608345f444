"""An algorithm: the pieces that a run's updates are made of, and what they carry between batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tvo_cli.advantage import Estimator
from tvo_cli.objective import Objective
from tvo_cli.objective.internal_policy import InternalPolicy
from tvo_cli.optim import StepRule
from tvo_cli.rollout import BranchingRule, SamplingRule, TemperedBranch, TokenTemperature
from tvo_cli.rollout.self_imitation import SelfImitation


@dataclass(slots=True)
class Algorithm:
    """An algorithm: its advantage estimator, objective, step rule and sampling rule."""

    name: str
    estimator: Estimator
    objective: Objective
    step_rule: StepRule
    sampling: SamplingRule
    branching: BranchingRule | None = None  # where responses begin with the tokens of others
    token_temperature: TokenTemperature | None = None  # where each token is sampled at its own
    thinking_end: str = ""  # the text that ends the thinking phase, where a shaping reads phases
    self_imitation: SelfImitation | None = None  # what keeps good responses, to learn from them again
    internal_policy: InternalPolicy | None = None  # which learns first; None: the whole network from the start

    def is_internal_at(self, step: int) -> bool:
        """Whether the batch after so many others is one of the internal policy."""
        return self.internal_policy is not None and self.internal_policy.acts_at(step)

    def state_dict(self) -> dict[str, Any]:
        """What its pieces carry between batches: baselines, coefficients, viscosity."""
        return {
            "estimator": self.estimator.state_dict(),
            "objective": self.objective.state_dict(),
            "step_rule": self.step_rule.state_dict(),
        } | {name: piece.state_dict() for name, piece in self._remembering_samplers.items()}

    @property
    def _remembering_samplers(self) -> dict[str, TemperedBranch | TokenTemperature]:
        """The pieces of sampling that carry something between batches."""
        found: dict[str, TemperedBranch | TokenTemperature] = {}
        if isinstance(self.sampling, TemperedBranch):
            found["sampling"] = self.sampling
        if self.token_temperature is not None:
            found["token_temperature"] = self.token_temperature
        return found

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore `state_dict`."""
        self.estimator.load_state_dict(state["estimator"])
        self.objective.load_state_dict(state["objective"])
        self.step_rule.load_state_dict(state["step_rule"])
        for name, piece in self._remembering_samplers.items():
            piece.load_state_dict(state[name])

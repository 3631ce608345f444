"""The weighting of a reward's terms by windows of their losses: those that have stopped moving fade.

RECAP, arXiv:2510.21978; the arithmetic is in maths/loss_balancing.py.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tvo_cli.maths.loss_balancing import LossWindows
from tvo_cli.training.reward_terms.reward_term_values import mean_term_values, terms_of_responses
from tvo_cli.training.reward_terms.reward_weighting import FixedWeighting, with_weighted_rewards

if TYPE_CHECKING:
    from tvo_cli.training.batch import RolloutBatch
    from tvo_cli.training.session import Session

log = logging.getLogger("tvo")
LARGEST = {"length": 0.0}  # value of a term at which it is solved; 1 for any other


@dataclass(slots=True)
class WindowWeighting(FixedWeighting):
    """R_i = Σ_k λ_k·w_k·r_ik, before the estimator: λ is `window_weights` of L_k = 1 − mean r_k of the batches before.

    The paper's own words for several rewards of one response; it is 1 until there were 2·window batches. L_k is a loss,
    so a term lies between 0 and 1 (the overlong term between −1 and 0: L_k = −mean); of one with a negative weight L_k
    is the mean itself. temperature = inf recovers fixed weights.

    Fidelity: notes (as `tvo_cli.advantage.ReweightedSources`; whether the paper weighs rewards or advantages was not
    seen).
    """

    weights: Mapping[str, float]  # of the config
    windows: LossWindows
    used: dict[str, float] = field(default_factory=dict)  # w·λ of the batch under way
    warned: set[str] = field(default_factory=set, compare=False)

    def weighted(self, session: Session, batch: RolloutBatch) -> RolloutBatch:
        """The batch rewarded by the weights that the batches before it lead to; then its own losses are taken in."""
        factors = self.windows.weights
        self.used = {name: weight * factors.get(name, 1.0) for name, weight in self.weights.items()}
        chosen = batch.drawn.chosen.from_prompts()
        terms = terms_of_responses(session, chosen.rollout, chosen.verdicts, chosen.components)
        self.take_means(mean_term_values(terms))
        return batch if self.used == dict(self.weights) else with_weighted_rewards(session, batch, self.used)

    def take_means(self, means: Mapping[str, float]) -> None:
        """The losses of a batch, from the mean of each term; one without an opinion stays where it was."""
        for name, weight in self.weights.items():
            if name in means:
                loss = means[name] if weight < 0 else LARGEST.get(name, 1.0) - means[name]
                self._warn_of_no_loss(name, means[name], loss)
                self.windows.take(name, loss)

    def _warn_of_no_loss(self, name: str, mean: float, loss: float) -> None:
        if loss < 0.0 and name not in self.warned:
            self.warned.add(name)
            log.warning(
                "reward.weighting=recap reads 1 − mean as the loss of a term (the mean of one with a negative weight), "
                "and %s has the mean %.3g: it counts as solved. Scale it to lie between 0 and 1.",
                name,
                mean,
            )

    def metrics(self) -> dict[str, float]:
        """The weights of the batch."""
        return {f"reward/{name}/weight": weight for name, weight in self.used.items()}

    def state_dict(self) -> dict[str, Any]:
        """The losses, and the weights of the batch under way."""
        return {"losses": self.windows.state_dict(), "used": dict(self.used)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore `state_dict`."""
        if state:
            self.windows.load_state_dict({name: float(loss) for name, loss in state["losses"].items()})
            self.used = {name: float(weight) for name, weight in state["used"].items()}

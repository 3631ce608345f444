"""The entropy law R = −a·e^H + b, fitted anew at every step over the steps so far."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tvo_cli.stats.entropy_law_fit import fit_entropy_law

LEAST_PAIRS = 8  # two constants from fewer noisy pairs say nothing


@dataclass(slots=True)
class RunningEntropyLaw:
    """Pairs of entropy and accuracy, one a step; the fit is recomputed from them, so a resumed run has the same.

    Cui et al. 2025, arXiv:2505.22617: H the mean token entropy (nats) of the rollout batch, R the accuracy; the ceiling
    b − a is the accuracy at which the entropy is spent. They take R on held-out problems and every fourth step; here
    it is `accuracy/fresh`, of the same batch, at every step.
    """

    entropy: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)

    def read(self, entropy: float, accuracy: float) -> dict[str, float]:
        """Add a step; the law of all steps, and how far this one is from the law of those before it."""
        before = self.fitted()
        self.entropy.append(entropy)
        self.accuracy.append(accuracy)
        now = self.fitted()
        surprise = {"law/error": accuracy - (before["law/b"] - before["law/a"] * math.exp(entropy))} if before else {}
        return now | surprise

    def fitted(self) -> dict[str, float]:
        """a, b, the ceiling and how well they fit; nothing while there are few pairs, or no spread of H."""
        law = fit_entropy_law(self.entropy, self.accuracy) if len(self.entropy) >= LEAST_PAIRS else None
        if law is None:
            return {}
        found = {"law/a": law.a, "law/b": law.b, "law/ceiling": law.ceiling, "law/rmse": law.rmse}
        return found | ({"law/r2": law.r2} if math.isfinite(law.r2) else {})

    def state_dict(self) -> dict[str, list[float]]:
        """The pairs."""
        return {"entropy": list(self.entropy), "accuracy": list(self.accuracy)}

    def load_state_dict(self, state: Mapping[str, Sequence[float]]) -> None:
        """Restore `state_dict`; nothing of a checkpoint from before there was a law."""
        self.entropy = list(state.get("entropy", ()))
        self.accuracy = list(state.get("accuracy", ()))

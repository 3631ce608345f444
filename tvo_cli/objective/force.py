"""Forces: what acts on a token besides its advantage, in a sampled and in an exact form.

A force has a potential φ with zero mean under π at every state. Its *sampled* form is subtracted from the
advantage, which adds −a φ ∇log π to the ascent direction; its *exact* form E enters the loss and gives the
all-action sum of the same thing. Sampled alone is a temperature; sampled minus exact has zero mean and is
a control variate: variance, no bias. Coefficients are in units of reward; `Tokens.scale` turns them into Â's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from tvo_cli.maths import thermodynamics as thermo
from tvo_cli.objective.coefficient import Coefficient
from tvo_cli.types import Tokens


class Force(Protocol):
    """A sampled and an exact form, and what it learns from a batch."""

    def sampled(self, tokens: Tokens) -> Tensor: ...

    def exact(self, tokens: Tokens) -> Tensor: ...

    def observe(self, tokens: Tokens) -> None: ...

    def end_batch(self, entropy: float) -> None: ...

    def discard(self) -> None: ...

    def state_dict(self) -> dict[str, float]: ...

    def load_state_dict(self, state: Mapping[str, float]) -> None: ...


@dataclass(slots=True)
class Temperature:
    """T of F = U − T·S: the entropic force T(log π + H), sampled (O(1) in V) or exact (−T·H in the loss).

    T in units of reward a nat; T = 0 recovers the algorithm without entropy.
    """

    coef: Coefficient
    form: str  # "sampled" or "exact"

    def sampled(self, tokens: Tokens) -> Tensor:
        """[B, T] to subtract from Â."""
        if self.form == "exact":
            return torch.zeros_like(tokens.advantage)
        return tokens.scale * self.coef.value * thermo.potential_entropy(tokens.logp, tokens.entropy)

    def exact(self, tokens: Tokens) -> Tensor:
        """[B, T] to descend."""
        strength = self.coef.value if self.form == "exact" else 0.0
        return -tokens.scale * strength * tokens.entropy

    def observe(self, tokens: Tokens) -> None:
        """A temperature needs only the batch's entropy."""

    def end_batch(self, entropy: float) -> None:
        """Let the thermostat act."""
        self.coef.update(entropy)

    def discard(self) -> None:
        """Nothing was remembered."""

    def state_dict(self) -> dict[str, float]:
        """The thermostat's."""
        return self.coef.state_dict()

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.coef.load_state_dict(state)


@dataclass(slots=True)
class ControlVariate:
    """Sample the force at a virtual temperature β and give it back exactly (docs/tvo.md, section 7).

    ĝ = Σ_t [(Â − κβφ_t)∇log π(a_t) + κβ Σ_v πφ∇log π]: unbiased on-policy for every β that does not depend on
    the batch. When `adaptive`, β = clip(Σ q Â φ / Σ q φ², 0, high), q = 1 − 2π + Σπ², both sums over *earlier*
    batches with weights decaying by `decay` a batch, so that the second batch already has a β.

    Fidelity: notes (this project's, docs/tvo.md).

    potential: "probability" (φ = π − Σπ², exact part ½∇Σπ²) or "entropy" (φ = log π + H, exact part −∇H).
    beta in units of reward; beta = 0 without `adaptive`, or high = 0, recovers the algorithm without it.
    """

    potential: str
    beta: float
    adaptive: bool
    decay: float
    high: float
    past: tuple[float, float] = (0.0, 0.0)  # decayed Σ q Â φ and Σ q φ² of earlier batches
    current: tuple[float, float] = (0.0, 0.0)  # the same of the batch under way

    def _phi(self, tokens: Tokens) -> Tensor:
        if self.potential == "probability":
            return thermo.potential_probability(tokens.logp, tokens.collision)
        return thermo.potential_entropy(tokens.logp, tokens.entropy)

    def sampled(self, tokens: Tokens) -> Tensor:
        """[B, T] to subtract from Â."""
        return tokens.scale * self.beta * self._phi(tokens)

    def exact(self, tokens: Tokens) -> Tensor:
        """[B, T] to descend: −κβ·½Σπ², or +κβ·H."""
        given_back = -0.5 * tokens.collision if self.potential == "probability" else tokens.entropy
        return tokens.scale * self.beta * given_back

    def observe(self, tokens: Tokens) -> None:
        """Add tokens of the current batch to the regression of Â (in units of reward) on φ."""
        q = thermo.score_norm_proxy(tokens.logp, tokens.collision)
        phi, mask = self._phi(tokens), tokens.mask
        reward_units = tokens.advantage / tokens.scale
        work = float(torch.where(mask, q * reward_units * phi, 0.0).sum().detach())
        norm = float(torch.where(mask, q * phi.square(), 0.0).sum().detach())
        self.current = (self.current[0] + work, self.current[1] + norm)

    def end_batch(self, entropy: float) -> None:
        """β for the next batch."""
        work, norm = (self.decay * old + new for old, new in zip(self.past, self.current))
        self.past, self.current = (work, norm), (0.0, 0.0)
        if self.adaptive and norm > 0.0:
            self.beta = min(max(work / norm, 0.0), self.high)

    def discard(self) -> None:
        """Forget what was observed of the batch under way."""
        self.current = (0.0, 0.0)

    def state_dict(self) -> dict[str, float]:
        """β and the sums it comes from."""
        sums = {"past_work": self.past[0], "past_norm": self.past[1]}
        return {"beta": self.beta, **sums, "work": self.current[0], "norm": self.current[1]}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.beta = state["beta"]
        self.past = (state["past_work"], state["past_norm"])
        self.current = (state["work"], state["norm"])

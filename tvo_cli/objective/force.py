"""Forces: what acts on a token besides its advantage, in a sampled and in an exact form.

A force has a potential φ with zero mean under π at every state. Its *sampled* form is subtracted from the
advantage, which adds −a φ ∇log π to the ascent direction; its *exact* form E enters the loss and gives the
all-action sum of the same thing. Sampled alone is a temperature; sampled minus exact has zero mean and is
a control variate: variance, no bias, as long as both halves have the same weight. What is subtracted from the
advantage is clipped or damped with it off-policy; a consistent control variate therefore takes its sampled half
beside the surrogate. Coefficients are in units of reward; `Tokens.scale` turns them into Â's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from tvo_cli.maths import thermodynamics as thermo
from tvo_cli.maths.importance_ratio import importance_ratio
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
class TsallisTemperature:
    """τ of F = U − T·S − τ·S₂/2, S₂ = 1 − Σ_v π(v)² (Tsallis 1988, q = 2): the force τ·½∇S₂ = −τ·½∇Σπ², exact.

    τ in units of reward; τ > 0 keeps the policy broad, τ < 0 sharpens it, τ = 0 recovers the algorithm without it.
    It stands in the loss, beside surrogate and weight, so no clip and no mobility damps it.

    Fidelity: notes (this project's, docs/tvo.md; the index 2 is that of sparse policies, arXiv:1802.03501).
    """

    coef: Coefficient

    def sampled(self, tokens: Tokens) -> Tensor:
        """[B, T] to subtract from Â: nothing."""
        return torch.zeros_like(tokens.advantage)

    def exact(self, tokens: Tokens) -> Tensor:
        """[B, T] to descend: −κτ·½(1 − Σπ²)."""
        return -tokens.scale * self.coef.value * 0.5 * (1.0 - tokens.collision)

    def observe(self, tokens: Tokens) -> None:
        """A temperature needs only the batch's entropy."""

    def end_batch(self, entropy: float) -> None:
        """Cool, or let the coefficient adapt."""
        self.coef.update(entropy)

    def discard(self) -> None:
        """Nothing was remembered."""

    def sharpening(self, damped: float) -> float:
        """κ⁻¹ times the coefficient of ½∇Σπ², in units of reward: −τ."""
        return -self.coef.value

    def state_dict(self) -> dict[str, float]:
        """The coefficient's."""
        return self.coef.state_dict()

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.coef.load_state_dict(state)


@dataclass(slots=True)
class ControlVariate:
    """Sample the force at a virtual temperature β and give it back exactly (docs/tvo.md, section 7).

    ĝ = Σ_t [(Â − κβφ_t)∇log π(a_t) + κβ Σ_v πφ∇log π]: unbiased on-policy for every β that does not depend on
    the batch. Off-policy the surrogate and the weight w damp the sampled half and not the exact one; what is left
    over is κβ(1 − w̄)·½∇Σπ² for "probability": a negative Tsallis temperature. `consistent` takes the sampled half
    beside them, −κβ Σ_t ρ_t φ_t ∇log π(a_t) with the token's own ρ = π/π_old: its expectation over a ~ π_old is
    −κβ Σ_v πφ∇log π at every state, whatever surrogate and weight do to Â.

    When `adaptive`, β = clip(Σ q Â φ / Σ q φ², 0, high), q = 1 − 2π + Σπ², both sums over *earlier*
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
    consistent: bool = False  # both halves of weight 1, also off-policy
    past: tuple[float, float] = (0.0, 0.0)  # decayed Σ q Â φ and Σ q φ² of earlier batches
    current: tuple[float, float] = (0.0, 0.0)  # the same of the batch under way

    def _phi(self, tokens: Tokens) -> Tensor:
        if self.potential == "probability":
            return thermo.potential_probability(tokens.logp, tokens.collision)
        return thermo.potential_entropy(tokens.logp, tokens.entropy)

    def sampled(self, tokens: Tokens) -> Tensor:
        """[B, T] to subtract from Â; nothing of a consistent one."""
        if self.consistent:
            return torch.zeros_like(tokens.advantage)
        return tokens.scale * self.beta * self._phi(tokens)

    def exact(self, tokens: Tokens) -> Tensor:
        """[B, T] to descend: −κβ·½Σπ², or +κβ·H; of a consistent one +κβρφ besides, its sampled half."""
        given_back = -0.5 * tokens.collision if self.potential == "probability" else tokens.entropy
        if self.consistent:
            given_back = given_back + self._weight_of_sample(tokens) * self._phi(tokens).detach()
        return tokens.scale * self.beta * given_back

    @staticmethod
    def _weight_of_sample(tokens: Tokens) -> Tensor:
        """ρ = π/π_old of each token, [B, T], times π_trainer/π_sampler where the sampler computes otherwise."""
        ratio = importance_ratio(tokens.logp - tokens.old_logp)
        return ratio if tokens.importance is None else tokens.importance * ratio

    def sharpening(self, damped: float) -> float:
        """κ⁻¹ times the mean coefficient of ½∇Σπ² that is left over, in units of reward: β(1 − w̄), or 0.

        damped: mean of 1 − w over the tokens of the batch, w what surrogate and weight leave of a token's gradient.
        """
        leaves_over = self.potential == "probability" and not self.consistent
        return self.beta * damped if leaves_over else 0.0

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

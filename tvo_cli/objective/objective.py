"""L(θ) = reduce[ −u · w · S(ρ, Â − Σ_f a_f φ_f) ] + Σ_f reduce[ E_f ] + Σ_k c_k · reduce[ R_k ].

An algorithm is a choice of these pieces, made in conf/algorithm/<name>.yaml:

    shape      Â ← Â(tokens)            how credit is reshaped token by token
    forces     φ_f sampled, E_f exact   temperature, control variate
    ratio      ρ ← ρ(log π − log π_old) token- or sequence-level
    surrogate  S(ρ, Â)                  what is ascended
    weight     w(tokens)                which tokens learn, and how much; no gradient
    penalties  R_k, c_k                 what is descended besides, and how strongly
    reduce     mask → share             how tokens are averaged: reduce[x] = Σ share · x
    reads      name → bool              what the pieces look at besides a token's own scores

u is 1, or min(π_trainer/π_sampler, cap) where the sampler computes otherwise than the trainer (Tokens.importance): it
corrects an expectation over sampled tokens, so it weighs the policy term and neither an exact force nor a penalty.

The shares of a minibatch are computed once from its mask, and a weight that is a statistic of the minibatch once
from all of its tokens, so that any split into micro-batches sums to the same loss and the same gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from tvo_cli.errors import UserError
from tvo_cli.maths.nucleus import Nucleus
from tvo_cli.maths.piece_marks import does_read_tokens
from tvo_cli.objective.entropy_corridor import EntropyCorridor
from tvo_cli.objective.force import ControlVariate, Force, Temperature, TsallisTemperature
from tvo_cli.objective.penalty import Anchored, Penalty
from tvo_cli.objective.piece_output import per_token
from tvo_cli.objective.reduction import Reduction, weighted_token_sum
from tvo_cli.objective.token_function import TokenFn, does_read_reference
from tvo_cli.types import Loss, Tokens

TokenSurrogate = Callable[..., Tensor]  # (ratio, advantage), or (ratio, advantage, tokens) where it is marked so
# Tokens.whole, .old_entropy and .covariance; of the rollout batch: Experience.old_covariance and what follows it
READABLE = ("minibatch", "old_entropy", "covariance", "old_covariance", "prompt_logp", "group_divergence", "answers")


class Ratio(Protocol):
    """Log-ratio [B, T] and mask [B, T] to importance ratio [B, T]."""

    def __call__(self, log_ratio: Tensor, mask: Tensor, /) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class Objective:
    """See the module's equation."""

    shape: TokenFn
    ratio: Ratio
    surrogate: TokenSurrogate
    weight: TokenFn
    reduce: Reduction
    forces: Mapping[str, Force] = field(default_factory=dict)
    penalties: Mapping[str, Penalty | Anchored | EntropyCorridor] = field(default_factory=dict)
    reads: Mapping[str, bool] = field(default_factory=dict)  # of READABLE
    nucleus: Nucleus | None = None  # the words whose entropy is Tokens.nucleus_entropy

    def __post_init__(self) -> None:
        """Refuse what nobody provides."""
        for name in self.reads:
            if name not in READABLE:
                raise UserError(f"algorithm.objective.reads.{name}", self.reads[name], "nothing of that name.")
        averages = [name for name, penalty in self.penalties.items() if isinstance(penalty, Anchored)]
        if averages and not self.reads.get("minibatch", False):
            remedy = "Take true: the square of a mean is not the mean of squares."
            raise UserError(
                "algorithm.objective.reads.minibatch", False, f"{averages[0]} is a mean of the minibatch.", remedy
            )

    def __call__(self, tokens: Tokens) -> Loss:
        """The loss of a minibatch, or of the slice of one that `tokens` holds, and its parts."""
        ratio = _checked_piece_output(
            "ratio", self.ratio, self.ratio(tokens.logp - tokens.old_logp, tokens.mask), tokens
        )
        gain = self.weigh(tokens) * self.surrogate_of(ratio, tokens)
        if tokens.importance is not None:
            gain = tokens.importance * gain
        parts = {"policy": weighted_token_sum(-gain, tokens)}
        parts |= {name: weighted_token_sum(force.exact(tokens), tokens) for name, force in self.forces.items()}
        parts |= {name: penalty(tokens) for name, penalty in self.penalties.items()}
        return Loss(total=torch.stack(list(parts.values())).sum(), parts=parts)

    def weigh(self, tokens: Tokens) -> Tensor:
        """w, [B, T], no gradient: of the whole minibatch, cut to these rows, where the tokens know it."""
        whole = tokens.minibatch
        return tokens.own(_checked_piece_output("weight", self.weight, self.weight(whole), whole).detach())

    def surrogate_of(self, ratio: Tensor, tokens: Tokens) -> Tensor:
        """S(ρ, Â − Σ_f a_f φ_f), [B, T]."""
        found = call_surrogate(self.surrogate, ratio, self.soft_advantage(tokens), tokens)
        return _checked_piece_output("surrogate", self.surrogate, found, tokens)

    def soft_advantage(self, tokens: Tokens) -> Tensor:
        """Â after shaping, minus the sampled forces, [B, T]; no gradient flows through a force."""
        advantage = _checked_piece_output("shape", self.shape, self.shape(tokens), tokens)
        for force in self.forces.values():
            advantage = advantage - force.sampled(tokens).detach()
        return advantage

    def observe(self, tokens: Tokens) -> None:
        """Let every adaptive piece see tokens of the current batch; acts only at `end_batch`."""
        for force in self.forces.values():
            force.observe(tokens)

    def end_batch(self, entropy: float) -> None:
        """Adapt coefficients once after a rollout batch, from its mean token entropy (nats) and what was observed."""
        for force in self.forces.values():
            force.end_batch(entropy)
        for penalty in self.penalties.values():
            penalty.end_batch(entropy)

    def discard(self) -> None:
        """In place of `end_batch` where something of the batch is not a number: what was observed is forgotten."""
        for force in self.forces.values():
            force.discard()

    def readings(self, damped: float) -> dict[str, float]:
        """β of the control variate, and what acts on ½∇Σπ² besides the reward, in units of reward.

        damped: mean of 1 − w over tokens, w what surrogate and weight leave of a token's gradient.
        """
        variates = [force for force in self.forces.values() if isinstance(force, ControlVariate)]
        sharpeners = [f for f in self.forces.values() if isinstance(f, ControlVariate | TsallisTemperature)]
        found = {"control/beta": variates[-1].beta} if variates else {}
        if sharpeners:
            found["thermo/sharpening"] = sum(force.sharpening(damped) for force in sharpeners)
        return found

    @property
    def temperature(self) -> float:
        """T of F = U − T·S, in units of reward a nat: what its temperatures come to."""
        return sum(force.coef.value for force in self.forces.values() if isinstance(force, Temperature))

    @property
    def needs_reference(self) -> bool:
        """Whether a penalty that can act, or another piece, reads the reference."""
        penalties = (penalty.reads_reference for penalty in self.penalties.values())
        return any(map(does_read_reference, (self.shape, self.weight))) or any(penalties)

    @property
    def awaits_start(self) -> bool:
        """Whether a penalty is still to be shown the policy as it was before the first update."""
        return any(penalty.awaits_start for penalty in self.penalties.values())

    def start(self, tokens: Tokens) -> None:
        """Show the first rollout batch, under the policy that sampled it, to those penalties."""
        for penalty in self.penalties.values():
            penalty.start(tokens)

    def state_dict(self) -> dict[str, dict[str, float]]:
        """What adaptive pieces carry between batches."""
        forces = {f"forces.{name}": force.state_dict() for name, force in self.forces.items()}
        coefs = {f"penalties.{name}": penalty.state_dict() for name, penalty in self.penalties.items()}
        return forces | coefs

    def load_state_dict(self, state: Mapping[str, Mapping[str, float]]) -> None:
        """Restore `state_dict`."""
        for name, force in self.forces.items():
            force.load_state_dict(state[f"forces.{name}"])
        for name, penalty in self.penalties.items():
            penalty.load_state_dict(state[f"penalties.{name}"])


def _checked_piece_output(piece: str, function: object, found: object, tokens: Tokens) -> Tensor:
    """Return what a piece returned, if it is one number a token."""
    return per_token(f"algorithm.objective.{piece}", function, found, tokens.mask)


def call_surrogate(surrogate: TokenSurrogate, ratio: Tensor, advantage: Tensor, tokens: Tokens) -> Tensor:
    """S(ρ, Â), [B, T], or S(ρ, Â, tokens) of one that is marked with `reads_tokens`."""
    if does_read_tokens(surrogate):
        return surrogate(ratio, advantage, tokens)
    return surrogate(ratio, advantage)

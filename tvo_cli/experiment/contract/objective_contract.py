"""The contract of an objective: what must hold of any loss and its pieces, checked on small minibatches."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from tvo_cli import config as configuration
from tvo_cli.experiment.contract.contract_samples import (
    LEAVES,
    extremes,
    sample_counted,
    sample_in_micro_batches,
    sample_tokens,
    sample_with_padding_garbage,
    widened,
)
from tvo_cli.objective import Objective
from tvo_cli.types import Loss, Tokens

TIGHT: dict[str, Any] = {"rtol": 1e-12, "atol": 1e-12}


class ContractBroken(Exception):
    """A check of an objective that does not hold; the text says what was found."""


@dataclass(frozen=True)
class CheckedAlgorithm:
    """An algorithm's node of the config, at its own settings and at settings where it acts on a small minibatch."""

    node: Any
    acting: Any
    built: dict[bool, Objective] = field(default_factory=dict)

    def objective(self, *, acting: bool = False) -> Objective:
        """A fresh objective."""
        acting = acting and self.acting is not self.node  # the same settings are built once
        if acting not in self.built:
            self.built[acting] = configuration.build((self.acting if acting else self.node).objective)
        return copy.deepcopy(self.built[acting])


def loss_and_gradient(objective: Objective, tokens: Tokens, counted: Tensor | None = None) -> tuple[Loss, list[Tensor]]:
    """The loss of tokens under their own shares, and its gradient by log π, entropy and collision."""
    objective = copy.deepcopy(objective)
    tokens = replace(tokens, share=objective.reduce(tokens.mask if counted is None else counted).double())
    loss = objective(tokens)
    found = torch.autograd.grad(loss.total, [getattr(tokens, leaf) for leaf in LEAVES], allow_unused=True)
    return loss, [torch.zeros_like(tokens.logp) if g is None else g for g in found]


def require_contract(found: object, text: str) -> None:
    """Raise ContractBroken with this text where something of an objective does not hold."""
    if not bool(found):
        raise ContractBroken(text)


def _same(found: Tensor, expected: Tensor, text: str) -> None:
    """Require that two tensors of the objective's contract agree to rounding."""
    difference = float((found - expected).detach().abs().max()) if found.shape == expected.shape else math.inf
    require_contract(torch.allclose(found, expected, **TIGHT), f"{text}: off by {difference:.3g}")


def check_shapes(one: CheckedAlgorithm) -> None:
    """w, Â and S are [B, T]; the shares too."""
    tokens, built = sample_tokens(), one.objective()
    ratio = built.ratio(tokens.logp - tokens.old_logp, tokens.mask)
    found = {
        "weight": built.weigh(tokens),
        "shape": built.soft_advantage(tokens),
        "ratio": ratio,
        "surrogate": built.surrogate_of(ratio, tokens),
        "reduce": built.reduce(tokens.mask),
    }
    for piece, value in found.items():
        require_contract(isinstance(value, Tensor), f"{piece} returns {type(value).__name__}, no tensor")
        require_contract(
            value.shape == tokens.mask.shape, f"{piece} returns {list(value.shape)}, for tokens of {[4, 6]}"
        )


def check_finite(one: CheckedAlgorithm) -> None:
    """Off-policy all is finite; on-policy the gradient is not nothing."""
    loss, gradients = loss_and_gradient(one.objective(), sample_tokens())
    require_contract(loss.total.isfinite(), f"the loss is {float(loss.total.detach())}")
    require_contract(all(g.isfinite().all() for g in gradients), "the gradient is not finite")
    _, gradients = loss_and_gradient(one.objective(), sample_tokens(drift=0.0))
    require_contract(gradients[0].abs().sum() > 0, "on-policy the gradient by log π is 0 everywhere")


def check_extremes(one: CheckedAlgorithm) -> None:
    """Certain policies, vanishing probabilities, empty rows, tokens that do not count: finite."""
    counts = ("some tokens do not count", sample_tokens(), sample_counted())
    for case, tokens, counted in (*((case, tokens, None) for case, tokens in extremes()), counts):
        loss, gradients = loss_and_gradient(one.objective(acting=True), tokens, counted)
        require_contract(loss.total.isfinite() and all(g.isfinite().all() for g in gradients), f"not finite: {case}")


def check_padding(one: CheckedAlgorithm) -> None:
    """Garbage on padding changes no loss and gets no gradient; further padding changes no bit."""
    built = one.objective(acting=True)
    clean, expected = loss_and_gradient(built, sample_tokens())
    other, gradients = loss_and_gradient(built, sample_with_padding_garbage(sample_tokens()))
    _same(other.total, clean.total, "what stands on padding changes the loss")
    require_contract(all((g[~sample_tokens().mask] == 0).all() for g in gradients), "padding gets a gradient")
    wide, gradients = loss_and_gradient(built, widened(sample_tokens()))
    _same(wide.total, clean.total, "further columns of padding change the loss")
    _same(gradients[0][:, :6], expected[0], "further columns of padding change the gradient")


def check_micro_batches(one: CheckedAlgorithm) -> None:
    """Any split into micro-batches sums to the same loss and gradient, also where some tokens do not count."""
    built = one.objective(acting=True)
    for counted in (sample_tokens().mask, sample_counted()):
        _check_split(built, replace(sample_tokens(), share=built.reduce(counted).double(), seed=5))


def _check_split(built: Objective, tokens: Tokens) -> None:
    """Three micro-batches of these tokens have the loss and the gradient of the whole."""
    whole = built(tokens).total
    expected = torch.autograd.grad(whole, tokens.logp)[0]
    total = torch.stack(
        [built(part).total for part in sample_in_micro_batches(tokens, whole=built.reads["minibatch"])]
    ).sum()
    remedy = "; a statistic of the minibatch needs algorithm.objective.reads.minibatch=true"
    _same(total, whole, f"three micro-batches have another loss than one{remedy}")
    _same(torch.autograd.grad(total, tokens.logp)[0], expected, "three micro-batches have another gradient than one")


def check_detached(one: CheckedAlgorithm) -> None:
    """No gradient flows through weights, advantages or the old policy."""
    built, leaves = one.objective(acting=True), ("entropy", "collision", "old_logp", "advantage", "old_entropy")
    tokens = sample_tokens()
    tokens = replace(tokens, **{key: getattr(tokens, key).detach().clone().requires_grad_() for key in leaves})
    require_contract(not built.weigh(tokens).requires_grad, "the weight carries a gradient")
    policy = built(replace(tokens, share=built.reduce(tokens.mask).double())).parts["policy"]
    reached = torch.autograd.grad(policy, [tokens.entropy, tokens.collision], allow_unused=True)
    require_contract(all(gradient is None for gradient in reached), "the policy term has a gradient by the entropy")


def check_total(one: CheckedAlgorithm) -> None:
    """The total is the sum of its parts."""
    loss, _ = loss_and_gradient(one.objective(), sample_tokens())
    _same(loss.total, torch.stack(list(loss.parts.values())).sum(), "the total is not the sum of its parts")


def check_direction(one: CheckedAlgorithm) -> None:
    """On-policy good tokens rise and bad ones fall."""
    tokens, built = sample_tokens(drift=0.0), one.objective()
    _, gradients = loss_and_gradient(built, tokens)
    learning = tokens.mask & (built.weigh(tokens) > 0)
    require_contract(learning.any(), "no token has a weight above 0")
    wrong = torch.sign(gradients[0]) != -torch.sign(tokens.advantage) * learning
    require_contract(
        not wrong.any(), f"{int(wrong.sum())} tokens move against their advantage, or move at a weight of 0"
    )


def check_on_policy(one: CheckedAlgorithm) -> None:
    """On-policy the policy term has REINFORCE's gradient −w·Â·share: a surrogate is inert where ρ = 1."""
    built, tokens = one.objective(), sample_tokens(drift=0.0)
    tokens = replace(tokens, share=built.reduce(tokens.mask).double())
    found = torch.autograd.grad(built(tokens).parts["policy"], tokens.logp)[0]
    expected = -(built.weigh(tokens) * built.soft_advantage(tokens) * tokens.share * tokens.mask).detach()
    _same(found, expected, "on-policy the gradient is not that of REINFORCE times the weight")

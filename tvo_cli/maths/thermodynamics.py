"""The thermodynamic quantities of TVO (derivation in docs/tvo.md)."""

from __future__ import annotations

from torch import Tensor


def mobility(divergence: Tensor, delta: float) -> Tensor:
    """m = 1 / (1 + (D/δ)²), [B, T]: the inverse of the micro viscosity of one token.

    Its gradient flow descends the arctan potential below; δ = infinity recovers m = 1.
    """
    return 1.0 / (1.0 + (divergence / delta).square())


def potential_probability(logp: Tensor, collision: Tensor) -> Tensor:
    """φ = π(a|s) − Σ_v π(v|s)², [B, T]: bounded, of zero mean under π; all-action term Σ πφ∇log π = ½∇Σπ²."""
    return logp.exp() - collision


def potential_entropy(logp: Tensor, entropy: Tensor) -> Tensor:
    """φ = log π(a|s) + H(π(·|s)), [B, T], nats, of zero mean under π; all-action term Σ πφ∇log π = −∇H."""
    return logp + entropy


def score_norm_proxy(logp: Tensor, collision: Tensor) -> Tensor:
    """‖e_a − π‖² = 1 − 2π(a) + Σπ², [B, T]: squared norm of the score with respect to the logits."""
    return 1.0 - 2.0 * logp.exp() + collision


def logit_susceptibility(logp: Tensor) -> Tensor:
    """π(1 − π), [B, T]: how far a probability moves for a unit displacement of its logit."""
    p = logp.exp()
    return p * (1.0 - p)

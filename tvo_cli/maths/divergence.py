"""Divergences of two policies from log-probs of sampled tokens: binary total variation, binary KL, k1, k2, k3."""

from __future__ import annotations

from torch import Tensor

from tvo_cli.maths.importance_ratio import LOG_RATIO_LIMIT


def binary_total_variation(logp: Tensor, old_logp: Tensor) -> Tensor:
    """D = |π_θ(a|s) − π_old(a|s)|, [B, T], probability: TV after collapsing V to {a, not a}.

    D ≤ TV(π_θ, π_old) by data processing; constant time in V given the two log-probabilities.
    The divergence of TVO (abstract) and DPPO (arXiv:2602.04879).
    """
    return (logp.exp() - old_logp.exp()).abs()


def binary_kl(logp: Tensor, old_logp: Tensor, epsilon: float = 1e-8) -> Tensor:
    """KL(π_old ‖ π_θ) after collapsing V to {a, not a}, nats, [B, T]: q log(q/p) + (1−q) log((1−q+ε)/(1−p+ε)).

    A lower bound of the KL over V by data processing; the second divergence of DPPO (arXiv:2602.04879).
    """
    p, q = logp.exp(), old_logp.exp()
    return q * (old_logp - logp) + (1 - q) * ((1 - q + epsilon) / (1 - p + epsilon)).log()


def kl_k1(logp: Tensor, ref_logp: Tensor) -> Tensor:
    """k1 = log π − log π_ref, [B, T]: unbiased for KL(π‖π_ref) under π, of either sign (Schulman 2020)."""
    return logp - ref_logp


def kl_k2(logp: Tensor, ref_logp: Tensor) -> Tensor:
    """k2 = ½ (log π − log π_ref)², [B, T], ≥ 0: the estimate whose gradient, as a loss, is that of KL(π‖π_ref).

    Schulman 2020; differentiated on samples of π, E[∂k2] = ∂KL, which neither k1 nor k3 can say.
    """
    return 0.5 * (logp - ref_logp).square()


def kl_k3(logp: Tensor, ref_logp: Tensor) -> Tensor:
    """k3 = e^u − u − 1 with u = log π_ref − log π, [B, T], ≥ 0; ∂k3/∂logp = 1 − e^u.

    Unbiased for KL(π‖π_ref) under π; its gradient is not (Schulman 2020). GRPO's penalty, arXiv:2402.03300.
    """
    u = (ref_logp - logp).clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT)
    return u.exp() - u - 1


def kl_from_old(logp: Tensor, old_logp: Tensor) -> Tensor:
    """k3 of KL(π_old‖π_θ) on tokens that π_old drew, nats, [B, T], ≥ 0: ρ − 1 − log ρ with ρ = π_θ/π_old."""
    return kl_k3(old_logp, logp)

"""Thermodynamic readings: the free energy of a batch and how fast it falls. F = U − T·S, U = −E[R].

Source: the abstract of Thermodynamic Variational Optimization; identities and units in docs/tvo.md 1.1–1.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class FreeEnergy:
    """F = U − T·S of one on-policy batch."""

    energy: float  # U = −mean reward
    entropy: float  # S, nats a response
    temperature: float  # T, reward a nat

    @property
    def value(self) -> float:
        """F in units of reward; T = 0 recovers −mean reward."""
        return self.energy - self.temperature * self.entropy

    def metrics(self) -> dict[str, float]:
        """F, S and T by name."""
        return {
            "thermo/free_energy": self.value,
            "thermo/entropy": self.entropy,
            "thermo/temperature": self.temperature,
        }


def free_energy_of_batch(rewards: Tensor, old_logp: Tensor, mask: Tensor, temperature: float) -> FreeEnergy:
    """F = −mean R − T·S, S = mean over responses of −Σ_t log π(y_t), for the policy that sampled; unbiased.

    The chain rule makes −log π of a whole response an unbiased sample of its entropy. F is bounded below by
    −T log Z and minimised by π* ∝ exp(R/T): F − F* is TVO's Lyapunov function.

    Args:
        rewards: [B], in units of reward.
        old_logp: [B, T] log π of the policy that sampled; on-policy only.
        mask: bool [B, T].
        temperature: T in reward a nat.
    """
    surprise = torch.where(mask, -old_logp, 0.0).sum(1)
    return FreeEnergy(-float(rewards.mean()), float(surprise.mean()), temperature)


def dissipation(before: FreeEnergy, after: FreeEnergy) -> float:
    """The fall of free energy, −ΔF between consecutive on-policy batches, in units of reward, both at the later T.

    At one temperature, since changing T changes F without any motion of the policy. Positive: free energy was
    dissipated, as the Lyapunov statement wants. Its noise is that of two batch means, √(2/N)·std(R) at T = 0.
    """
    moved = FreeEnergy(before.energy, before.entropy, after.temperature)
    return moved.value - after.value


def predicted_free_energy_dissipation(
    gradient_squares: Sequence[float], rates: Sequence[float], per_reward: float
) -> float:
    """2Φ = Σ_k (η/ν)_k · ‖∇F‖²_P: what dF/dt = −(1/ν)‖∇F‖²_P promises of a batch's steps, in units of reward.

    Args:
        gradient_squares: ‖∇L‖² of each step in the metric P of the step rule (Σ_i P_i g_i²; P = I for SGD).
        rates: η/ν of each step.
        per_reward: c with ∇L = c·∇F (κ over the mean response length for a token mean), so ‖∇L‖²/c = ∇F·∇L.

    First order in the step, and ‖∇L‖² of one minibatch contains its noise: an upper bound on average.
    """
    return sum(rate * square for rate, square in zip(rates, gradient_squares, strict=True)) / per_reward

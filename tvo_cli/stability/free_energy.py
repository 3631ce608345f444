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


@dataclass(frozen=True, slots=True)
class FreeEnergySample:
    """F of one policy by prompts: what its responses to each of P prompts came to on average."""

    energies: Tensor  # float64 [P], −mean reward
    surprises: Tensor  # float64 [P], mean −log π of a whole response, nats

    def at(self, temperature: float) -> Tensor:
        """F = U − T·S of each prompt, [P], at one temperature for all samples that are compared."""
        return self.energies - temperature * self.surprises


def free_energy_sample(
    rewards: Sequence[float], surprises: Tensor, group: Tensor, judged: Sequence[bool]
) -> FreeEnergySample | None:
    """F by prompts, from those responses that the grader could judge; None where that are fewer than two prompts.

    Args:
        rewards: B rewards.
        surprises: [B], −log π of each whole response under the policy that sampled it.
        group: int64 [B], the prompt of each.
        judged: B times whether the grader could judge the response: its failure is no reward of 0.
    """
    counts = torch.tensor(judged, device=group.device)
    if not bool(counts.any()):
        return None
    prompts, index = group[counts].unique(return_inverse=True)
    if len(prompts) < 2:
        return None
    energies = -torch.tensor(rewards, dtype=torch.float64, device=group.device)[counts]
    means = [_mean_by_prompt(values, index, len(prompts)) for values in (energies, surprises.double()[counts])]
    return FreeEnergySample(*(one.cpu() for one in means))


def _mean_by_prompt(values: Tensor, index: Tensor, prompts: int) -> Tensor:
    """The mean of a term of F over the responses to each prompt, [P]."""
    total = torch.zeros(prompts, dtype=values.dtype, device=values.device).index_add_(0, index, values)
    return total / torch.bincount(index, minlength=prompts)

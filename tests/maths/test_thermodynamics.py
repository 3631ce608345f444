"""Identities of TVO: the arctan potential, zero-mean forces, the Lyapunov flow."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from tvo_cli.maths import surrogates
from tvo_cli.maths import thermodynamics as thermo
from tvo_cli.maths.divergence import binary_total_variation, kl_k1, kl_k3

D = torch.float64


def policies(seed: int = 0, shape: tuple[int, int] = (50, 8), drift: float = 0.3) -> tuple[Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    old = torch.randn(*shape, generator=rng, dtype=D)
    new = old + drift * torch.randn(*shape, generator=rng, dtype=D)
    return new.requires_grad_(), old.log_softmax(-1), torch.randint(shape[-1], (shape[0], 1), generator=rng)


def test_mobility_is_the_gradient_of_the_arctan_potential() -> None:
    logits, old, actions = policies()
    advantage = torch.randn(50, 1, generator=torch.Generator().manual_seed(5), dtype=D)
    logp, old_logp = logits.log_softmax(-1).gather(1, actions), old.gather(1, actions)
    potential = surrogates.arctan_gain(logp, old_logp, advantage, 0.1).sum()
    ratio = (logp - old_logp).exp()
    weight = ratio * thermo.mobility(binary_total_variation(logp, old_logp), 0.1)
    (by_potential,) = torch.autograd.grad(potential, logits, retain_graph=True)
    (by_weight,) = torch.autograd.grad((weight.detach() * advantage * logp).sum(), logits)
    torch.testing.assert_close(by_potential, by_weight, rtol=1e-10, atol=1e-14)


def test_binary_total_variation_is_below_the_full_one() -> None:
    logits, old, actions = policies()
    new = logits.log_softmax(-1)
    full = 0.5 * (new.exp() - old.exp()).abs().sum(-1, keepdim=True)
    assert (binary_total_variation(new.gather(1, actions), old.gather(1, actions)) <= full + 1e-15).all()


def test_forces_have_zero_mean_and_the_stated_exact_form() -> None:
    logits = torch.randn(7, dtype=D, generator=torch.Generator().manual_seed(0)).requires_grad_()
    log_pi = logits.log_softmax(-1)
    pi = log_pi.exp().detach()
    entropy, collision = -(log_pi.exp() * log_pi).sum(), log_pi.exp().square().sum()
    for phi, exact in (
        (thermo.potential_probability(log_pi, collision), 0.5 * collision),
        (thermo.potential_entropy(log_pi, entropy), -entropy),
    ):
        assert abs(float((pi * phi.detach()).sum())) < 1e-14
        (sampled,) = torch.autograd.grad((pi * phi.detach() * log_pi).sum(), logits, retain_graph=True)
        (all_actions,) = torch.autograd.grad(exact, logits, retain_graph=True)
        torch.testing.assert_close(sampled, all_actions, rtol=1e-12, atol=1e-14)


def test_the_score_norm_proxy_is_the_squared_distance_to_the_one_hot() -> None:
    logits, _, actions = policies()
    pi = logits.softmax(-1).detach()
    slow = (torch.zeros_like(pi).scatter(1, actions, 1.0) - pi).square().sum(-1)
    proxy = thermo.score_norm_proxy(pi.log().gather(1, actions).squeeze(1), pi.square().sum(-1))
    torch.testing.assert_close(proxy, slow, rtol=1e-12, atol=1e-14)


def test_free_energy_falls_along_the_viscous_flow_and_ends_at_gibbs() -> None:
    """F = −E[R] − T·S on one state; ν of the state or of the action, however it varies: dF/dt ≤ 0."""
    rng = torch.Generator().manual_seed(0)
    reward, temperature, dt = torch.randn(6, generator=rng, dtype=D), 0.3, 0.01
    start = torch.softmax(torch.randn(6, generator=rng, dtype=D), 0)

    def free_energy(pi: Tensor) -> float:
        return float(-(pi * reward).sum() + temperature * (pi * pi.log()).sum())

    gibbs = torch.softmax(reward / temperature, 0)
    for per_action in (False, True):
        pi, anchor, path = start.clone(), start.clone(), [free_energy(start)]
        for k in range(3000):
            moved = (pi - anchor).abs()
            mobility = thermo.mobility(moved if per_action else moved.max().expand(6), 0.1)
            force = reward - temperature * pi.log()
            pi = pi + dt * pi * mobility * (force - (pi * mobility * force).sum() / (pi * mobility).sum())
            anchor = pi.clone() if k % 100 == 99 else anchor
            path.append(free_energy(pi))
        assert all(after <= before + 1e-12 for before, after in pairwise(path))
        assert abs(path[-1] - free_energy(gibbs)) < 1e-3
    gap = free_energy(start) - free_energy(gibbs)
    assert abs(gap - temperature * float((start * (start / gibbs).log()).sum())) < 1e-14


def test_k1_and_k3_estimate_the_same_divergence_and_k3_is_never_negative(f0: dict[str, torch.Tensor]) -> None:
    k3, k1 = kl_k3(f0["logp"], f0["ref"]), kl_k1(f0["logp"], f0["ref"])
    assert (k3 >= 0).all()
    assert abs(float(k3[f0["mask"]].mean()) - 0.022803) < 1e-6
    logits, old, _ = policies()
    new = logits.detach().log_softmax(-1)
    kl = (new.exp() * (new - old)).sum(-1)
    for estimator in (kl_k1, kl_k3):
        torch.testing.assert_close((new.exp() * estimator(new, old)).sum(-1), kl, rtol=1e-9, atol=1e-12)
    assert (k1 < 0).any()


REWARD, TEMPERATURE = torch.tensor([1.0, -0.5, 0.3, 0.0, 0.8], dtype=D), 0.3
VISCOSITY = torch.tensor([1.0, 4.0, 0.5, 2.0, 7.0], dtype=D)  # of each action


def free_energy_of(pi: Tensor) -> Tensor:
    return -(pi * REWARD).sum() + TEMPERATURE * (pi * pi.log()).sum()


def onsager_velocity(pi: Tensor) -> tuple[Tensor, Tensor]:
    """π̇ with ν π̇/π = Ã − λ, and Ã = A − T(log π + H); λ keeps Σπ̇ at 0."""
    log_pi = pi.log()
    force = REWARD - pi @ REWARD - TEMPERATURE * thermo.potential_entropy(log_pi, -(pi * log_pi).sum())
    multiplier = (pi * force / VISCOSITY).sum() / (pi / VISCOSITY).sum()
    return pi * (force - multiplier) / VISCOSITY, force


def test_the_onsager_principle_has_the_stated_equation_of_motion_and_dissipation() -> None:
    """dF/dt + ½Σ ν π̇²/π is smallest there of all velocities that keep Σπ, and dF/dt = −E_π[ν(π̇/π)²]."""
    pi = torch.softmax(torch.tensor([0.2, -1.0, 0.5, 1.0, -0.3], dtype=D), 0).requires_grad_()
    (slope,) = torch.autograd.grad(free_energy_of(pi), pi)
    pi = pi.detach()
    velocity, force = onsager_velocity(pi)
    assert abs(float(pi @ force)) < 1e-14 and abs(float(velocity.sum())) < 1e-14

    def functional(other: Tensor) -> float:
        return float(slope @ other + 0.5 * (VISCOSITY * other.square() / pi).sum())

    for direction in torch.eye(5, dtype=D) - 0.2:  # that keep Σπ
        for step in (-1e-3, 1e-3):
            rise = functional(velocity + step * direction) - functional(velocity)
            assert rise == pytest.approx(0.5 * step**2 * float((VISCOSITY * direction.square() / pi).sum()), rel=1e-6)
    dissipated = float((pi * VISCOSITY * (velocity / pi).square()).sum())
    assert float(slope @ velocity) == pytest.approx(-dissipated, rel=1e-12) and dissipated > 0.1


def test_a_scalar_viscosity_keeps_descent_and_a_mobility_or_clip_of_tokens_need_not() -> None:
    """Off-policy, over three actions drawn by π_old: the gradient that wall or mobility leave points uphill in F."""
    old = torch.softmax(torch.tensor([-0.7, -1.5, -0.4], dtype=D), 0)
    advantage = torch.tensor([-1.2, 1.2, -0.2], dtype=D)
    advantage = advantage - old @ advantage
    radius = 0.5 * old * (1 - old)

    def ascent(gain: Callable[[Tensor], Tensor]) -> Tensor:
        """Of Σ_a π_old(a) gain(a), by the logits."""
        logits = torch.tensor([-4.0, 0.3, -0.2], dtype=D).requires_grad_()
        return torch.autograd.grad((old * gain(logits.log_softmax(-1))).sum(), logits)[0]

    plain = ascent(lambda logp: surrogates.importance_weighted((logp - old.log()).exp(), advantage))
    mobile = ascent(lambda logp: surrogates.arctan_gain(logp, old.log(), advantage, radius))
    clipped = ascent(lambda logp: surrogates.clipped_surrogate((logp - old.log()).exp(), advantage, low=0.2, high=0.2))
    inert = ascent(lambda logp: surrogates.arctan_gain(logp, old.log(), advantage, 1e9 * radius))
    torch.testing.assert_close(inert, plain, rtol=1e-9, atol=0)
    for other in (mobile, clipped):
        assert float(plain @ other / (plain.norm() * other.norm())) < -0.9

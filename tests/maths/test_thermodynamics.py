"""Identities of TVO: the arctan potential, zero-mean forces, the Lyapunov flow."""

from __future__ import annotations

from itertools import pairwise

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

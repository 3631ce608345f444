"""GRPO and its kin on fixture F0, whose numbers were worked out elsewhere (methods' specification, section a)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tvo_cli import config
from tvo_cli.objective import Objective
from tvo_cli.types import Tokens

D = torch.float64
GRPO = [[-0.061947, 0, -0.043653], [0, 0.097684, 0], [0.058925, 0.071972, 0.053318], [-0.180348, 0, 0]]
TOKEN_MEAN = [[-0.082596, 0, -0.058204], [0, 0.08683, 0], [0.078567, 0.095962, 0.071091], [-0.080154, 0, 0]]


@pytest.fixture
def make_objective_tokens(f0: dict[str, torch.Tensor]) -> Callable[..., tuple[Objective, Tokens]]:
    """GRPO's objective with some settings, and F0 as it sees it."""

    def make(*overrides: str) -> tuple[Objective, Tokens]:
        objective = config.build(config.compose(["algorithm=grpo", "logger=none", *overrides]).algorithm.objective)
        tokens = Tokens(
            logp=f0["logp"].clone().requires_grad_(),
            old_logp=f0["old"],
            entropy=f0["entropy"],
            collision=torch.zeros_like(f0["old"]),
            advantage=torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=D)[:, None] * f0["mask"],
            mask=f0["mask"],
            share=objective.reduce(f0["mask"]).double(),
            ref_logp=f0["ref"],
        )
        return objective, tokens

    return make


def loss(
    f0: dict[str, Tensor], *overrides: str, advantage: Sequence[float] = (0.707106, -0.707106, -0.707106, 0.707106)
) -> tuple[float, Tensor]:
    objective = config.build(config.compose(["algorithm=grpo", "logger=none", *overrides]).algorithm.objective)
    logp = f0["logp"].clone().requires_grad_()
    tokens = Tokens(
        logp=logp,
        old_logp=f0["old"],
        entropy=f0["entropy"],
        collision=torch.zeros_like(logp),
        advantage=torch.tensor(advantage, dtype=D)[:, None] * f0["mask"],
        mask=f0["mask"],
        share=objective.reduce(f0["mask"]).double(),
        ref_logp=f0["ref"],
    )
    total = objective(tokens).total
    return total.item(), torch.autograd.grad(total, logp)[0]


def test_grpo(f0: dict[str, torch.Tensor]) -> None:
    value, gradient = loss(f0)
    assert value == pytest.approx(-0.004048, abs=1e-6)
    torch.testing.assert_close(gradient, torch.tensor(GRPO, dtype=D), rtol=0, atol=1e-6)


def test_grpo_with_the_papers_kl(f0: dict[str, torch.Tensor]) -> None:
    value, gradient = loss(f0, "algorithm.objective.penalties.kl.coef.value=0.04")
    assert value == pytest.approx(-0.003201, abs=1e-6)
    assert gradient[1, 0].item() == pytest.approx(-0.04 * (torch.tensor(0.4).exp().item() - 1) / 8, abs=1e-6)
    assert gradient[0, 1].item() == pytest.approx(0.000604, abs=1e-6)
    assert gradient[1, 0].item() == pytest.approx(-0.002459, abs=1e-6)


def test_clip_higher_with_the_token_mean(f0: dict[str, torch.Tensor]) -> None:
    value, gradient = loss(
        f0,
        "algorithm.objective.surrogate.high=0.28",
        "algorithm.objective.reduce._target_=tvo_cli.objective.reduction.token_mean",
    )
    assert value == pytest.approx(0.073784, abs=1e-6)
    torch.testing.assert_close(gradient, torch.tensor(TOKEN_MEAN, dtype=D), rtol=0, atol=1e-6)


def test_a_group_constant_changes_nothing_but_an_identical_policy_still_learns(f0: dict[str, torch.Tensor]) -> None:
    same = dict(f0) | {"logp": f0["old"].clone()}
    value, gradient = loss(same)
    assert value == pytest.approx(0.0, abs=1e-7)
    assert gradient.abs().sum() > 0.1


def test_temperature_and_control_variate_act_as_stated(make_tokens: Callable[..., Tokens]) -> None:
    tokens = replace(make_tokens(drift=0.0), scale=2.0)
    nodes = config.compose(["algorithm=tvo", "logger=none"]).algorithm.objective
    nodes.forces.control.beta, nodes.forces.temperature.coef.value = 0.3, 0.1
    total = config.build(nodes)(tokens).total
    by_logp, by_collision = torch.autograd.grad(total, (tokens.logp, tokens.collision))
    phi = tokens.logp.exp() - tokens.collision
    soft = tokens.advantage - 2.0 * 0.1 * (tokens.logp + tokens.entropy) - 2.0 * 0.3 * phi
    torch.testing.assert_close(by_logp, (-soft * tokens.share * tokens.mask).detach(), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(by_collision, -2.0 * 0.3 * 0.5 * tokens.share * tokens.mask, rtol=1e-12, atol=0)


def test_beta_is_the_regression_of_earlier_batches(make_tokens: Callable[..., Tokens]) -> None:
    """Σ q·Â·φ / Σ q·φ², earlier batches at 0.8 of their weight; inside 0 and its bound, else a clip is all it shows."""
    control = config.build(config.compose(["algorithm=tvo", "logger=none"]).algorithm.objective.forces.control)
    sums = [0.0, 0.0]
    for drift, pull in ((0.0, 0.3), (0.4, 0.9)):
        tokens = replace(make_tokens(drift=drift), scale=2.0)
        p, s2 = tokens.logp.exp().detach(), tokens.collision.detach()
        tokens = replace(tokens, advantage=2.0 * pull * (p - s2) + 0.01 * tokens.advantage)
        before = control.beta
        control.observe(tokens)
        assert control.beta == before, "nothing of the batch under way"
        control.end_batch(entropy=1.0)
        q, phi, a = 1 - 2 * p + s2, p - s2, tokens.advantage / 2.0
        found = [float((q * one)[tokens.mask].sum()) for one in (a * phi, phi * phi)]
        sums = [0.8 * old + new for old, new in zip(sums, found, strict=True)]
        assert 0.0 < sums[0] / sums[1] < control.high
        assert control.beta == pytest.approx(sums[0] / sums[1], abs=1e-12)


def test_the_samplers_weight_multiplies_the_policy_term_alone(
    f0: dict[str, torch.Tensor], make_objective_tokens: Callable[..., tuple[Objective, Tokens]]
) -> None:
    """A sampler of other precision: the policy's gradient is u times what it was, the penalty's stays."""
    objective, tokens = make_objective_tokens("algorithm.objective.penalties.kl.coef.value=0.04")
    weight = torch.full_like(f0["old"], 1.5)
    plain, weighed = objective(tokens), objective(replace(tokens, importance=weight))
    for name, factor in (("policy", 1.5), ("kl", 1.0)):
        gradients = [
            torch.autograd.grad(loss.parts[name], tokens.logp, retain_graph=True)[0] for loss in (plain, weighed)
        ]
        assert gradients[0].abs().sum() > 0
        torch.testing.assert_close(gradients[1], factor * gradients[0])

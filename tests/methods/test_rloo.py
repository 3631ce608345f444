"""RLOO: the leave-one-out advantage, a response as one action, and the KL that the baseline knows of."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.methods.conftest import Result
from tvo_cli.advantage import GroupCentred, LeaveOneOut
from tvo_cli.types import Experience

OBJECTIVE = "algorithm.objective"
NEUTRAL = {
    "rloo": (
        "reinforce",
        [
            f"{OBJECTIVE}.reduce._target_=tvo_cli.objective.reduction.sequence_mean",
            f"~{OBJECTIVE}.reduce.length",
            f"{OBJECTIVE}.ratio._target_=tvo_cli.maths.importance_ratio.token_ratio",
            f"{OBJECTIVE}.surrogate.low=inf",
            f"{OBJECTIVE}.surrogate.high=inf",
        ],
    ),
}
# Σ(l − l0) by hand: .05 + .4 − .3 | −.4 + .1 | 0 + .2 − .1 | .02; exp: 1.161834, 0.740818, 1.105171, 1.020201
RATIO = [1.161834, 0.740818, 1.105171, 1.020201]


def test_on_f0(on_f0: Callable[..., Result], assert_near: Callable[..., None]) -> None:
    """Over 4 responses, times −Â = ∓1; the second, below 0.8 with Â < 0, is clipped: no gradient."""
    found = on_f0("rloo")
    assert found.tokens.advantage[:, 0].tolist() == [1.0, -1.0, -1.0, 1.0]
    rows = [-RATIO[0] / 4, 0.0, RATIO[2] / 4, -RATIO[3] / 4]
    assert_near(found.gradient, [[rows[0]] * 3, [rows[1]] * 3, [rows[2]] * 3, [rows[3], 0, 0]])


def test_the_gradient_is_that_of_the_responses_ratio(on_f0: Callable[..., Result]) -> None:
    """TRL's loss written out: −mean_i min(s_i Â_i, clip(s_i, 0.8, 1.2) Â_i), s_i = exp Σ_t (l − l0)."""
    found = on_f0("rloo")
    logp = found.tokens.logp.detach().clone().requires_grad_()
    s = ((logp - found.tokens.old_logp) * found.tokens.mask).sum(1).exp()
    advantage = found.tokens.advantage[:, 0]
    loss = -torch.minimum(s * advantage, s.clamp(0.8, 1.2) * advantage).mean()
    torch.testing.assert_close(torch.autograd.grad(loss, logp)[0], found.gradient)


def test_it_is_g_over_g_minus_one_of_the_centred_reward(f0_experience: Experience) -> None:
    ours, centred = (estimator(f0_experience).values for estimator in (LeaveOneOut(), GroupCentred()))
    torch.testing.assert_close(ours, 2 * centred)


def test_the_kl_is_charged_before_the_baseline(f0_experience: Experience) -> None:
    """Row sums of l0 − lr are −0.1 (.1 − .2), 0, −0.1 and 0; at c = 1 rewards become 1.1, 0, 0.1, 1."""
    found = LeaveOneOut(kl_coef=1.0)
    assert found.needs_reference and not LeaveOneOut().needs_reference
    assert found(f0_experience).values[:, 0].tolist() == pytest.approx([1.1, -1.1, -0.9, 0.9])

"""KL-Cov on fixture F0: covariances, choice and gradient as the specification worked them out."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tvo_cli import config
from tvo_cli.maths.masked import centred_product
from tvo_cli.methods.kl_cov import kl_cov
from tvo_cli.types import Tokens

D = torch.float64
OBJECTIVE = "algorithm.objective"
NEUTRAL = {
    "kl_cov": (
        "reinforce",
        [
            f"{OBJECTIVE}.penalties.kl_cov.term.share=0",
            f"{OBJECTIVE}.reduce._target_=tvo_cli.objective.reduction.sequence_mean",
        ],
    ),
}
ACTS = {name: [f"{OBJECTIVE}.penalties.kl_cov.term.share=0.2"] for name in ("kl_cov", "kl_cov_early_stop")}
COVARIANCE = [
    [0.517671, 0.085551, -1.250093],
    [0.120121, -0.38271, 0],
    [-0.257002, 0.371536, 0.057267],
    [0.533385, 0, 0],
]


@pytest.fixture
def tokens(f0: dict[str, torch.Tensor]) -> Tokens:
    """F0 with GRPO's advantages and the token mean."""
    advantage = torch.tensor([0.707106, -0.707106, -0.707106, 0.707106], dtype=D)
    return Tokens(
        logp=f0["logp"].clone().requires_grad_(),
        old_logp=f0["old"],
        entropy=f0["entropy"],
        collision=torch.zeros(4, 3, dtype=D),
        advantage=advantage[:, None] * f0["mask"],
        mask=f0["mask"],
        share=f0["mask"].double() / 9,
    )


def test_the_covariance_of_every_token(tokens: Tokens) -> None:
    found = centred_product(tokens.advantage, tokens.logp.detach(), tokens.mask)
    torch.testing.assert_close(found, torch.tensor(COVARIANCE, dtype=D), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("share", "chosen"),
    [(0.0, []), (1e-6, [(3, 0)]), (0.2, [(3, 0)]), (0.23, [(0, 0), (3, 0)]), (0.34, [(0, 0), (2, 1), (3, 0)])],
)
def test_the_largest_are_chosen_and_at_least_one(tokens: Tokens, share: float, chosen: list[tuple[int, int]]) -> None:
    found = kl_cov(tokens, share=share).detach()
    moved = {(0, 0): 0.05, (2, 1): 0.2, (3, 0): 0.02}
    expected = torch.zeros(4, 3, dtype=D)
    for place in chosen:
        expected[place] = moved[place]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_all_tokens_and_no_padding_at_share_one(tokens: Tokens) -> None:
    found = kl_cov(tokens, share=1.0).detach()
    torch.testing.assert_close(found, (tokens.logp - tokens.old_logp).abs().detach() * tokens.mask)


def test_loss_and_gradient(tokens: Tokens) -> None:
    objective = config.build(config.compose(["algorithm=kl_cov", *ACTS["kl_cov"]]).algorithm.objective)
    total = objective(tokens).total
    (gradient,) = torch.autograd.grad(total, tokens.logp)
    assert total.item() == pytest.approx(0.049175, abs=1e-6)
    assert gradient[3, 0].item() == pytest.approx(0.030957, abs=1e-6)
    others = -tokens.advantage * (tokens.logp - tokens.old_logp).exp().detach() / 9
    others[3, 0] = gradient[3, 0]
    torch.testing.assert_close(gradient, others)


def test_nothing_acts_where_the_policy_has_not_moved(tokens: Tokens) -> None:
    still = replace(tokens, logp=tokens.old_logp.clone().requires_grad_())
    (gradient,) = torch.autograd.grad(kl_cov(still, share=1.0).sum(), still.logp)
    assert (gradient == 0).all()


def test_a_slice_chooses_as_the_whole_does(tokens: Tokens) -> None:
    whole = replace(tokens, logp=tokens.logp.detach())
    last = {name: getattr(tokens, name)[2:] for name in ("logp", "old_logp", "advantage", "mask", "share")}
    found = kl_cov(replace(tokens, **last, whole=whole, start=2), share=0.34)
    torch.testing.assert_close(found, kl_cov(tokens, share=0.34)[2:])
    assert found[0, 1] > 0, "third of nine tokens; alone, the slice of four would choose one, another"
    assert (kl_cov(replace(tokens, **last), share=0.34)[0] == 0).all()

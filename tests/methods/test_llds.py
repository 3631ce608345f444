"""LLDS on F0: which responses and tokens it acts on, its gradient, and where it is silent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from tests.methods.conftest import Result
from tvo_cli.methods.llds import llds

OBJECTIVE = "algorithm.objective"
NEUTRAL = {
    "llds": (
        "grpo",
        [
            f"{OBJECTIVE}.penalties.llds.coef.value=0",
            f"{OBJECTIVE}.reduce._target_=tvo_cli.objective.reduction.sequence_mean",
        ],
    )
}


def test_only_kept_responses_that_fell_as_a_whole(on_f0: Callable[..., Result]) -> None:
    """Good are rows 0 and 3, and both rose: +.15 and +.02. With the last token of row 0 at −.5 it fell by .05."""
    tokens = on_f0("llds").tokens
    assert (llds(tokens) == 0).all()
    fallen = tokens.logp.detach().clone()
    fallen[0, 2] -= 0.2
    given = replace(tokens, logp=fallen.requires_grad_())
    found = llds(given)
    assert found.nonzero().tolist() == [[0, 2]] and found[0, 2].item() == pytest.approx(0.5)
    (gradient,) = torch.autograd.grad(found.sum(), given.logp)
    assert gradient.nonzero().tolist() == [[0, 2]] and gradient[0, 2] == -1


def test_bad_responses_may_fall_and_neutral_ones_are_kept(on_f0: Callable[..., Result]) -> None:
    """Row 1 fell by .3 in all: .4 on its first token, which is pulled back once its advantage is 0."""
    tokens = on_f0("llds").tokens
    assert (llds(tokens)[1] == 0).all()
    neutral = replace(tokens, advantage=torch.zeros_like(tokens.advantage))
    assert llds(neutral)[1].tolist() == pytest.approx([0.4, 0.0, 0.0])


def test_nothing_acts_where_the_policy_has_not_moved(on_f0: Callable[..., Result]) -> None:
    tokens = on_f0("llds").tokens
    still = replace(tokens, logp=tokens.old_logp.clone().requires_grad_())
    assert (torch.autograd.grad(llds(still).sum(), still.logp)[0] == 0).all()


def test_a_token_that_did_not_move_is_not_pulled(on_f0: Callable[..., Result]) -> None:
    """Row 0 is kept and fell by .5 on its first token alone."""
    tokens = on_f0("llds").tokens
    logp = tokens.old_logp.clone()
    logp[0, 0] -= 0.5
    given = replace(tokens, logp=logp.requires_grad_())
    assert torch.autograd.grad(llds(given).sum(), given.logp)[0][0].tolist() == [-1.0, 0.0, 0.0]


def test_the_loss_on_f0(on_f0: Callable[..., Result]) -> None:
    """All neutral: rows 1 and 2 (falls by .3 and −.1): only row 1's .4 counts, .1·.4/9, beside a policy term of 0."""
    found = on_f0("llds")
    tokens = replace(found.tokens, advantage=torch.zeros_like(found.tokens.advantage))
    assert found.objective(tokens).parts["llds"].item() == pytest.approx(0.1 * 0.4 / 9)

"""GSPO on F0: one ratio a response, the same gradient on each of its tokens, and whole responses clipped."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.methods.conftest import Result
from tvo_cli.methods.gspo import gspo

OBJECTIVE = "algorithm.objective"
TOKEN = [f"{OBJECTIVE}.ratio._target_=tvo_cli.maths.importance_ratio.token_ratio"]
WIDE = [f"{OBJECTIVE}.surrogate.low=0.2", f"{OBJECTIVE}.surrogate.high=0.2"]
NEUTRAL = {"gspo": ("grpo", [*TOKEN, *WIDE])}
ROWS = (-0.061947, 0.076076, 0.060923, -0.180348)


def test_the_ratio_is_the_geometric_mean(f0: dict[str, torch.Tensor]) -> None:
    found = gspo(f0["logp"] - f0["old"], f0["mask"])
    assert found[:, 0].tolist() == pytest.approx([1.051271, 0.860708, 1.033895, 1.020201], abs=1e-6)
    assert (found[~f0["mask"]] == 1.0).all()


def test_on_f0_with_a_wide_clip(
    on_f0: Callable[..., Result], assert_near: Callable[..., None], f0: dict[str, torch.Tensor]
) -> None:
    found = on_f0("gspo", *WIDE)
    assert found.loss == pytest.approx(-0.031266, abs=1e-6)
    assert_near(found.gradient, [[row * here for here in mask] for row, mask in zip(ROWS, f0["mask"].tolist())])


def test_with_its_own_clip_whole_responses_are_let_go(on_f0: Callable[..., Result]) -> None:
    found = on_f0("gspo").gradient
    assert (found[[0, 1, 3]] == 0).all()
    assert found[2].tolist() == pytest.approx([0.060923] * 3, abs=1e-6)


def test_a_response_of_one_token_has_a_tokens_ratio() -> None:
    log_ratio = torch.tensor([[0.3, 9.0]], dtype=torch.float64, requires_grad=True)
    found = gspo(log_ratio, torch.tensor([[True, False]]))
    assert found[0, 0].item() == pytest.approx(1.349859, abs=1e-6)
    assert torch.autograd.grad(found.sum(), log_ratio)[0].tolist() == [[pytest.approx(1.349859, abs=1e-6), 0.0]]

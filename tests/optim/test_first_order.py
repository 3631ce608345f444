"""What momentum carries of a batch's displacement into the batches after it, with the product's own optimisers."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from tvo_cli import config
from tvo_cli.errors import UserError

BEFORE, AFTER = 100, 160


@cache
def adamw() -> dict[str, Any]:
    return dict(config.compose(["output_dir=x"]).optimizer.make)


def displacement(betas: list[float], steps: int, sign: float) -> tuple[float, float]:
    """What a batch of unit gradients of one sign moves a parameter by until its end, and until long after it.

    Gradients of ±1 keep Adam's second moment at 1, so a step is η·m.
    """
    parameter = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = config.build(OmegaConf.create({**adamw(), "betas": betas}))([parameter], lr=1.0)
    seen = [0.0]
    for gradient in [1.0, -1.0] * (BEFORE // 2) + [sign] * steps + [1.0, -1.0] * (AFTER // 2):
        parameter.grad = torch.full((1,), gradient, dtype=torch.float64)
        optimizer.step()
        seen.append(float(parameter.detach()))
    return seen[BEFORE + steps], seen[-1]


def carried_share(beta: float, steps: int) -> float:
    """The share of a batch's displacement that comes after its last step: two batches of opposite sign, subtracted."""
    (up, far_up), (down, far_down) = (displacement([beta, 0.95], steps, sign) for sign in (1.0, -1.0))
    return 1.0 - (up - down) / (far_up - far_down)


@pytest.mark.parametrize(("beta", "steps"), [(0.9, 16), (0.5, 1), (0.0, 16)])
def test_the_share_that_momentum_carries_on_is_the_one_of_the_page(beta: float, steps: int) -> None:
    """β₁(1 − β₁ⁿ)/((1 − β₁)n): 46% at 0.9 and 16 steps, and nothing of first order (docs/tvo.md, section 2)."""
    expected = beta * (1 - beta**steps) / ((1 - beta) * steps)
    assert carried_share(beta, steps) == pytest.approx(expected, abs=1e-4)
    if (beta, steps) == (0.9, 16):
        assert expected == pytest.approx(0.46, abs=0.005)


@pytest.mark.parametrize("schedule", ["adamw", "adamw_cooled"])
def test_the_recipes_of_first_order_have_no_momentum_whatever_the_schedule(schedule: str) -> None:
    for name in ("tvo_first_order", "grpo_shrunk_cv_first_order"):
        chosen = config.compose([f"algorithm={name}", f"optimizer={schedule}", "output_dir=x"]).optimizer.make
        assert list(chosen.betas) == [0.0, 0.95]


def test_an_optimiser_without_betas_says_who_set_them() -> None:
    with pytest.raises(UserError, match=r"optimizer\.make\.betas=.*recipe sets it\. Drop it: ~optimizer\.make\.betas"):
        config.compose(["algorithm=tvo_first_order", "optimizer=sgd", "output_dir=x"])
    config.compose(["algorithm=tvo_first_order", "optimizer=sgd", "~optimizer.make.betas", "output_dir=x"])

"""The fused kernel: for many parameters only, never against a decision, and the same step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch

from tvo_cli.optim import fused_kernel as module
from tvo_cli.optim.fused_kernel import with_fused_kernel

ADAMW = partial(torch.optim.AdamW, betas=(0.9, 0.95), weight_decay=0.1)


def test_only_many_parameters_and_only_where_the_kernel_is(monkeypatch: pytest.MonkeyPatch) -> None:
    few = [torch.nn.Parameter(torch.ones(10))]
    assert with_fused_kernel(ADAMW, few) is ADAMW
    monkeypatch.setattr(module, "LEAST", 10)
    assert with_fused_kernel(ADAMW, few)(few, lr=1e-3).defaults["fused"] is True
    assert with_fused_kernel(partial(ADAMW, fused=False), few)(few, lr=1e-3).defaults["fused"] is False
    assert with_fused_kernel(partial(torch.optim.RMSprop, alpha=0.9), few)(few, lr=1e-3) is not None


def test_the_step_is_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST", 1)
    rng = torch.Generator().manual_seed(0)
    start, pushes = torch.randn(50, generator=rng), torch.randn(5, 50, generator=rng)
    ends = []
    for make in (ADAMW, with_fused_kernel(ADAMW, [start])):
        parameter = torch.nn.Parameter(start.clone())
        optimizer = make([parameter], lr=1e-2)
        for push in pushes:
            parameter.grad = push.clone()
            optimizer.step()
        ends.append(parameter.detach())
    assert float((ends[0] - start).abs().max()) > 1e-2
    torch.testing.assert_close(ends[1], ends[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("make", [ADAMW, partial(torch.optim.SGD, momentum=0.9)])
def test_it_builds_whatever_has_the_kernel(
    make: Callable[..., torch.optim.Optimizer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEAST", 1)
    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = with_fused_kernel(make, [parameter])([parameter], lr=0.1)
    parameter.grad = torch.ones(3)
    optimizer.step()
    assert (parameter < 1).all()

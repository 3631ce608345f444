"""AdamW with moments of 8 bits: where it runs, its size, its exact resume."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.extras import needs_bitsandbytes
from tests.training.conftest import Checksum, MetricRows, Whole
from tests.training.conftest import in_pieces as in_pieces
from tests.training.conftest import kept as kept
from tests.training.conftest import run as run
from tests.training.conftest import steps as steps
from tests.training.conftest import stop_after as stop_after
from tests.training.conftest import weights as weights
from tests.training.conftest import whole as whole
from tvo_cli.errors import UserError
from tvo_cli.optim import adamw_8bit

BETAS = (0.9, 0.95)
STEPS = ("trainer.steps=2", "rollout.epochs=1", "optimizer=adamw_8bit")


def test_without_bitsandbytes_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(UserError, match=r"optimizer=adamw_8bit: .*pip install -e '\.\[bitsandbytes\]'"):
        adamw_8bit([nn.Parameter(torch.ones(3))], 0.1, BETAS, 1e-8, 0.0)


@needs_bitsandbytes
def test_a_device_without_such_a_kernel_is_refused() -> None:
    with pytest.raises(UserError, match=r"does not run on meta. Take optimizer=adamw"):
        adamw_8bit([nn.Parameter(torch.ones(3, device="meta"))], 0.1, BETAS, 1e-8, 0.0)


@needs_bitsandbytes
def test_a_step_is_near_that_of_32_bits_and_moments_take_a_byte_each() -> None:
    rng = torch.Generator().manual_seed(0)
    start = torch.randn(64, 128, generator=rng)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    small = adamw_8bit([ours], 1e-3, BETAS, 1e-8, 0.0)
    whole = torch.optim.AdamW([theirs], lr=1e-3, betas=BETAS, weight_decay=0.0)
    for _ in range(20):
        gradient = torch.randn(64, 128, generator=rng) + 0.5
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        small.step()
        whole.step()
    moved = float((theirs - start).detach().norm())
    assert 0 < float((ours - theirs).detach().norm()) < 0.05 * moved
    state = small.state[ours]
    assert state["state1"].dtype == state["state2"].dtype == torch.uint8


@needs_bitsandbytes
def test_a_run_stopped_at_every_update_ends_in_the_same_bits(
    whole: Whole, in_pieces: Callable[..., tuple[Path, int]], weights: Checksum, steps: MetricRows
) -> None:
    undisturbed, (cut, _) = whole(*STEPS), in_pieces("cut", *STEPS)
    assert steps(cut) == steps(undisturbed) and weights(cut, 2) == weights(undisturbed, 2)
    held = load_file(undisturbed / "checkpoints" / "step-000002" / "optimizer.safetensors")
    assert any(one.dtype == torch.uint8 for one in held.values())

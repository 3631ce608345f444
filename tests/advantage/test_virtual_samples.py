"""AVSPO: the virtual rewards of a group of equal ones, when they act, and the threshold's motion, by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from tvo_cli.advantage import VirtualSamples
from tvo_cli.types import Experience

D = torch.float64
BASE: dict[str, Any] = {"epsilon": 1e-9, "alpha": 0.5, "anchor": 0.1, "threshold": 0.5, "rate": 0.01}


def batch(*rewards: tuple[float, ...]) -> Experience:
    """A group of each tuple, responses of one token."""
    flat = [reward for one in rewards for reward in one]
    group = torch.tensor([p for p, one in enumerate(rewards) for _ in one])
    mask = torch.ones(len(flat), 1, dtype=torch.bool)
    return Experience(torch.tensor(flat, dtype=D), mask, group, torch.zeros_like(group), torch.zeros(len(flat), 1))


RIGHT, WRONG, MIXED = (1.0,) * 4, (0.0,) * 4, (1.0, 0.0, 0.0, 0.0)


def test_a_group_of_equal_rewards_is_pushed_by_virtual_ones() -> None:
    """ACR = ⅔: K = ⌈4·√⅔⌉ = 4. Right: ⅘, ⅗, ⅖, ⅕ beside four 1s: mean ¾. Wrong: .1, .075, .05, .025: mean .03125."""
    found = VirtualSamples(**BASE)(batch(RIGHT, WRONG, MIXED)).values[:, 0]
    right = 0.25 / math.sqrt((4 * 0.25**2 + 0.05**2 + 0.15**2 + 0.35**2 + 0.55**2) / 8)
    wrong = -0.03125 / math.sqrt((0.1**2 + 0.075**2 + 0.05**2 + 0.025**2) / 8 - 0.03125**2)
    mixed = torch.tensor([3.0, -1.0, -1.0, -1.0], dtype=D) / math.sqrt(3)
    expected = torch.cat([torch.full((4,), right), torch.full((4,), wrong), mixed])
    torch.testing.assert_close(found, expected, check_dtype=False, rtol=1e-6, atol=1e-6)
    assert 0 < right <= 1 and -1 <= wrong < 0


def test_the_count_of_virtual_rewards_is_not_rounded_up_by_rounding() -> None:
    """ACR = .81: K = ⌈10·.9⌉ = 9, though .81 in float32 is more than .81."""
    base = VirtualSamples(**BASE | {"alpha": 0.5, "threshold": 0.0})
    found = base(batch(*[(1.0,) * 10] * 81, *[(1.0,) + (0.0,) * 9] * 19)).values[0, 0].item()
    pool = [1.0] * 10 + [1 - k / 10 for k in range(1, 10)]
    mean = sum(pool) / 19
    expected = (1 - mean) / math.sqrt(sum((x - mean) ** 2 for x in pool) / 19)
    assert found == pytest.approx(expected, abs=1e-5)


def test_the_height_of_the_virtual_rewards_of_a_wrong_group_cancels() -> None:
    low, high = (VirtualSamples(**BASE | {"anchor": anchor})(batch(WRONG, RIGHT)).values for anchor in (0.1, 1.0))
    torch.testing.assert_close(low, high, rtol=1e-6, atol=0)
    assert low[0].item() < -0.5


def test_fewer_groups_alike_are_given_fewer_rewards() -> None:
    """ACR ¼: K = 2. Right: ⅔ and ⅓ beside four 1s, mean 5/6."""
    found = VirtualSamples(**BASE | {"threshold": 0.1})(batch(RIGHT, MIXED, MIXED, MIXED)).values[0, 0].item()
    assert found == pytest.approx((1 / 6) / math.sqrt((4 / 36 + 1 / 36 + 9 / 36) / 6))


def test_nothing_is_added_while_few_groups_are_alike() -> None:
    found = VirtualSamples(**BASE)(batch(RIGHT, MIXED)).values[:4, 0]
    assert (found == 0).all(), "ACR = ½ does not exceed ½"
    assert (VirtualSamples(**BASE | {"threshold": 1.0})(batch(RIGHT, WRONG)).values == 0).all()


def test_a_negative_reward_is_left_alone() -> None:
    assert (VirtualSamples(**BASE)(batch((-1.0,) * 4, (-1.0,) * 4)).values == 0).all()


def test_the_threshold_follows_the_reward() -> None:
    """No reward before: .5. It rises at ACR 1: .5 + .01·.5. It falls at ACR 0: .505 + .01·.505. Then it is level."""
    made, seen = VirtualSamples(**BASE), []
    for one in (batch(WRONG, MIXED), batch(RIGHT, RIGHT), batch(MIXED, MIXED), batch(MIXED, MIXED)):
        made.end_batch(one)
        seen.append(made.threshold)
    assert seen == pytest.approx([0.5, 0.505, 0.51005, 0.51005])


def test_the_threshold_of_a_batch_is_moved_before_it_decides() -> None:
    """Under a rate of 1 and a rising reward τ becomes ACR, which does not exceed it; a falling one takes it below."""
    made = VirtualSamples(**BASE | {"rate": 1.0}, previous=0.0)
    assert (made(batch(RIGHT, RIGHT, RIGHT, MIXED)).values[:12] == 0).all()
    assert (made.threshold, made.previous) == (0.5, 0.0), "estimating changes nothing"
    assert (replace(made, previous=0.99)(batch(RIGHT, RIGHT, RIGHT, MIXED)).values[:12] > 0).all()


def test_what_it_carries_survives_a_checkpoint() -> None:
    made, twin = VirtualSamples(**BASE), VirtualSamples(**BASE)
    twin.load_state_dict(made.state_dict())
    assert twin == made
    made.end_batch(batch(RIGHT, WRONG))
    twin.load_state_dict(made.state_dict())
    assert twin == made and made.previous == 0.5

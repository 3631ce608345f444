"""SCOPE: the branch's temperature, the loss that batch and branch make, and how its right answers move the entropy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from tvo_cli.advantage import GroupNormalised
from tvo_cli.maths.surrogates import clipped_surrogate
from tvo_cli.methods.scope import scope
from tvo_cli.objective.reduction import sequence_mean
from tvo_cli.rollout import TemperedBranch
from tvo_cli.types import Experience

D = torch.float64
NEUTRAL: dict[str, tuple[str, list[str]]] = {"scope": ("grpo", ["algorithm.sampling.share=0"])}
BASE: dict[str, Any] = {"target": 0.5, "low": 0.8, "high": 1.2, "share": 0.125}


@pytest.mark.parametrize(("entropy", "temperature"), [(0.1, 1.2), (0.5, 1.0), (0.6, 0.9), (0.9, 0.8)])
def test_the_branch_is_hot_below_the_target_and_cold_above(entropy: float, temperature: float) -> None:
    branch = TemperedBranch(**BASE)
    assert branch.temperature == 1.2, "before the first batch it heats"
    branch.end_batch(entropy)
    assert branch.temperature == pytest.approx(temperature)
    twin = TemperedBranch(**BASE)
    twin.load_state_dict(branch.state_dict())
    assert twin == branch


def test_a_share_of_the_prompts_and_one_at_the_least() -> None:
    assert [TemperedBranch(**BASE).extra_prompts(prompts) for prompts in (1, 8, 16, 17)] == [1, 1, 2, 3]
    assert TemperedBranch(**BASE | {"share": 0.0}).extra_prompts(16) == 0


@pytest.fixture
def batch(f0_experience: Experience) -> Experience:
    """F0, whose second group is the branch: one of its two responses is right."""
    return replace(f0_experience, extra=torch.tensor([False, False, True, True]))


def test_batch_and_branch_make_the_two_losses(batch: Experience, f0: dict[str, torch.Tensor]) -> None:
    """GRPO's of the first two responses, and −α/2 of the mean min(ρ, clip(ρ)) of the right one of two."""
    advantage = scope(batch, GroupNormalised(1e-6)(batch), alpha=0.25).values
    ratio, mask = (f0["logp"] - f0["old"]).exp(), f0["mask"]
    loss = -(clipped_surrogate(ratio, advantage, low=0.2, high=0.2) * sequence_mean(mask)).sum()
    own = GroupNormalised(1e-6)(batch).values[:2]
    main = -(clipped_surrogate(ratio[:2], own, low=0.2, high=0.2) * sequence_mean(mask[:2])).sum()
    extra = -0.25 / 2 * min(ratio[3, 0].item(), 1.2)
    assert loss.item() == pytest.approx(main.item() + extra)


def test_wrong_answers_of_the_branch_teach_nothing(batch: Experience) -> None:
    found = scope(batch, GroupNormalised(1e-6)(batch), alpha=0.25).values
    assert (found[2] == 0).all() and found[3].tolist() == [0.5, 0.0, 0.0]


def test_without_a_branch_no_bit_changes(f0_experience: Experience) -> None:
    plain = GroupNormalised(1e-6)(f0_experience)
    assert scope(f0_experience, plain, alpha=0.25) is plain


@pytest.mark.parametrize(("entropy", "expected"), [(0.1, 2.53e-5), (0.5, 0.0), (0.9, -3.28e-5)])
def test_hot_answers_raise_the_entropy_and_cold_ones_lower_it(entropy: float, expected: float) -> None:
    """One ascent step of rate 1e-3 on Σ π^T log π from the logits 2, 1, 0, −1: hot below 0.5 nats, cold above.

    Of four words all are right, each a row of the branch that is drawn as often as π^T says; the fifth row is the
    batch's own and alone in its group. Σ of α·5/4 on each of four rows that are a fifth of the loss each is α Σ ¼.
    """

    def entropy_of(logits: torch.Tensor) -> float:
        return -float((logits.softmax(0) * logits.log_softmax(0)).sum())

    branch = TemperedBranch(**BASE)
    branch.end_batch(entropy)
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, 0.0], dtype=D, requires_grad=True)
    logp = torch.cat([logits[:4].log_softmax(0), logits[4:]])[:, None]
    batch = Experience(
        rewards=torch.ones(5, dtype=D),
        mask=torch.ones(5, 1, dtype=torch.bool),
        group=torch.tensor([1, 1, 1, 1, 0]),
        source=torch.zeros(5, dtype=torch.int64),
        old_logp=logp.detach(),
        extra=torch.tensor([True, True, True, True, False]),
        correct=torch.ones(5, dtype=torch.bool),
    )
    advantage = scope(batch, GroupNormalised(1e-6)(batch), alpha=1.0).values
    gain = clipped_surrogate((logp - batch.old_logp).exp(), advantage, low=0.2, high=0.2) * sequence_mean(batch.mask)
    often = 4 * (logits[:4].detach() / branch.temperature).softmax(0)
    (slope,) = torch.autograd.grad((gain[:4, 0] * often).sum(), logits)
    change = entropy_of((logits + 1e-3 * slope)[:4].detach()) - entropy_of(logits[:4].detach())
    assert change == pytest.approx(expected, abs=1e-7)

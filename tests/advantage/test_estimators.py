"""Advantages: F0's numbers, invariants of the shrunk baseline, exact unbiasedness by enumeration."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tvo_cli.advantage import (
    BatchScaledGroup,
    Estimator,
    GeneralisedAdvantage,
    GroupNormalised,
    LeaveOneOut,
    ShrunkLeaveOneOut,
    WhitenedGroup,
)
from tvo_cli.types import Experience

D = torch.float64
SHRUNK: dict[str, Any] = {"within": 0.18, "between": 0.06, "decay": 0.8, "normalise": False, "epsilon": 0.0}


def experience(rewards: Tensor | list[list[float]], source: Tensor | None = None) -> Experience:
    """Rewards [P, G] as an estimator sees them; one token a response."""
    rewards = torch.as_tensor(rewards, dtype=D)
    prompts, samples = rewards.shape
    group = torch.arange(prompts).repeat_interleave(samples)
    rows = prompts * samples
    return Experience(
        rewards=rewards.flatten(),
        mask=torch.ones(rows, 1, dtype=torch.bool),
        group=group,
        source=torch.zeros(rows, dtype=torch.int64) if source is None else source,
        old_logp=torch.zeros(rows, 1, dtype=D),
    )


def values(estimator: Estimator, rewards: Tensor | list[list[float]]) -> Tensor:
    return estimator(experience(rewards)).values.view(torch.as_tensor(rewards).shape)


def random_rewards(prompts: int = 8, samples: int = 2) -> Tensor:
    return torch.rand(prompts, samples, dtype=D, generator=torch.Generator().manual_seed(0))


def test_grpo_on_f0(f0_experience: Experience) -> None:
    found = GroupNormalised(epsilon=1e-6)(f0_experience)
    expected = torch.tensor([0.707106, -0.707106, -0.707106, 0.707106], dtype=D)
    torch.testing.assert_close(found.values[:, 0], expected, rtol=0, atol=1e-6)
    assert (found.values[~f0_experience.mask] == 0).all()


def test_leave_one_out_on_f0(f0_experience: Experience) -> None:
    assert LeaveOneOut()(f0_experience).values[:, 0].tolist() == [1.0, -1.0, -1.0, 1.0]


@pytest.mark.parametrize(
    "estimator",
    [GroupNormalised(epsilon=1e-6), LeaveOneOut(), BatchScaledGroup(tail=0.1, epsilon=1e-4)],
    ids=lambda e: type(e).__name__,
)
def test_equal_rewards_of_a_group_give_exactly_nothing(estimator: Estimator) -> None:
    found = values(estimator, [[1.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
    assert (found[:2] == 0).all()
    assert found[2, 0] > 0 > found[2, 1]


@pytest.mark.parametrize(
    "estimator",
    [
        GroupNormalised(epsilon=1e-6),
        BatchScaledGroup(tail=0.1, epsilon=1e-4),
        WhitenedGroup(epsilon=1e-8),
        ShrunkLeaveOneOut(**{**SHRUNK, "normalise": True, "epsilon": 1e-4}),
    ],
    ids=lambda e: type(e).__name__,
)
@pytest.mark.parametrize("reward", [0.0, 1.0, 0.7])
def test_a_batch_of_equal_rewards_has_no_scale_that_would_enlarge_a_force(estimator: Estimator, reward: float) -> None:
    """A control variate at β = 0.6 was 1/ε = 10,000 times itself when a model answered a whole batch rightly."""
    found = estimator(experience(torch.full((8, 3), reward)))
    assert found.scale == 1.0 and float(found.values.abs().max()) < 1e-6


def test_the_scale_turns_the_advantage_back_into_reward() -> None:
    rewards = random_rewards()
    for estimator in (BatchScaledGroup(tail=0.0, epsilon=0.0), GroupNormalised(epsilon=0.0)):
        found = estimator(experience(rewards))
        centred = rewards - rewards.mean(1, keepdim=True)
        rms = (found.values / found.scale).square().mean().sqrt()
        torch.testing.assert_close(rms, centred.square().mean().sqrt())


def test_winsorising_clips_a_heavy_tail_and_leaves_zero_one_rewards_alone() -> None:
    tame = torch.tensor([[0.0, 1.0]] * 6, dtype=D)
    wild = tame.clone()
    wild[0, 1] = 1e6
    plain = BatchScaledGroup(tail=0.1, epsilon=0.0)
    torch.testing.assert_close(values(plain, wild), values(plain, tame))
    unclipped = values(BatchScaledGroup(tail=0.0, epsilon=0.0), wild)
    assert unclipped[1].abs().max() < 1e-3


def test_the_shrunk_baseline_holds_nothing_of_its_own_sample() -> None:
    rewards, estimator = random_rewards(), ShrunkLeaveOneOut(**SHRUNK)
    before = values(estimator, rewards)
    for p, i in itertools.product(range(8), range(2)):
        moved = rewards.clone()
        moved[p, i] += 0.7
        assert (values(estimator, moved) - before)[p, i].item() == pytest.approx(0.7, abs=1e-12)


def test_the_shrunk_baseline_is_equivariant() -> None:
    rewards, estimator = random_rewards(), ShrunkLeaveOneOut(**SHRUNK)
    plain = values(estimator, rewards)
    torch.testing.assert_close(values(estimator, rewards + 3), plain)
    torch.testing.assert_close(values(estimator, 2 * rewards), 2 * plain)
    order = torch.tensor([3, 1, 0, 2, 7, 6, 5, 4])
    torch.testing.assert_close(values(estimator, rewards[order]), plain[order])


def test_the_limits_of_shrinkage() -> None:
    rewards = random_rewards()
    alone = values(ShrunkLeaveOneOut(**{**SHRUNK, "between": math.inf}), rewards)
    torch.testing.assert_close(alone, 2 * (rewards - rewards.mean(1, keepdim=True)))
    others = (rewards.sum() - rewards.sum(1, keepdim=True)) / 14
    torch.testing.assert_close(values(ShrunkLeaveOneOut(**{**SHRUNK, "between": 0.0}), rewards), rewards - others)
    assert values(ShrunkLeaveOneOut(**SHRUNK), torch.ones(8, 2)).abs().max() == 0


@pytest.mark.parametrize(("samples", "shrinkage"), [(2, 0.75), (4, 0.5)])
def test_the_weight_of_the_other_prompts_by_hand(samples: int, shrinkage: float) -> None:
    """λ = (w/(G − 1))/(w/(G − 1) + τ²) at w = 0.18, τ² = 0.06: ¾ of two responses, ½ of four."""
    rewards = random_rewards(5, samples)
    own = (rewards.sum(1, keepdim=True) - rewards) / (samples - 1)
    others = (rewards.sum() - rewards.sum(1, keepdim=True)) / (4 * samples)
    expected = rewards - (1 - shrinkage) * own - shrinkage * others
    torch.testing.assert_close(values(ShrunkLeaveOneOut(**SHRUNK), rewards), expected, rtol=1e-12, atol=1e-14)


def test_a_group_of_one_uses_the_other_prompts_and_a_lonely_source_its_own_group() -> None:
    single = random_rewards(6, 1)
    expected = single - (single.sum() - single) / 5
    torch.testing.assert_close(values(ShrunkLeaveOneOut(**SHRUNK), single), expected)
    pair = torch.tensor([[1.0, 0.0], [0.5, 0.25], [0.0, 0.0]], dtype=D)
    lonely = experience(pair, source=torch.tensor([1, 1, 0, 0, 0, 0]))
    found = ShrunkLeaveOneOut(**SHRUNK)(lonely).values.view(3, 2)
    torch.testing.assert_close(found[0], torch.tensor([1.0, -1.0], dtype=D))


def test_the_shrunk_estimator_is_unbiased_by_full_enumeration() -> None:
    """2 prompts × 2 samples, a Bernoulli(sigmoid θ_p) action that is its own reward: E[ĝ] = p(1 − p)."""
    chance = [1 / (1 + math.exp(-theta)) for theta in (0.3, -1.1)]
    estimator, mean = ShrunkLeaveOneOut(**SHRUNK), [0.0, 0.0]
    for actions in itertools.product((0, 1), repeat=4):
        drawn = torch.tensor(actions, dtype=D).view(2, 2)
        weight = math.prod(chance[p] if drawn[p, i] else 1 - chance[p] for p in range(2) for i in range(2))
        advantage = values(estimator, drawn)
        for p in range(2):
            score = drawn[p] - chance[p]
            mean[p] += weight * float((advantage[p] * score).sum()) / 2
    assert mean == pytest.approx([p * (1 - p) for p in chance], abs=1e-12)


def test_shrinkage_learns_from_this_batch_for_the_next_only() -> None:
    estimator, batch = ShrunkLeaveOneOut(**SHRUNK), experience([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    before = estimator(batch).values
    torch.testing.assert_close(estimator(batch).values, before, rtol=0, atol=0)
    estimator.end_batch(batch)
    assert estimator.within == pytest.approx(0.8 * 0.18 + 0.2 * (0.5 / 3), rel=1e-12)
    assert estimator.between == pytest.approx(0.8 * 0.06 + 0.2 * (0.25 - 0.5 / 3 / 2), rel=1e-12)
    other = ShrunkLeaveOneOut(**SHRUNK)
    other.load_state_dict(estimator.state_dict())
    torch.testing.assert_close(other(batch).values, estimator(batch).values, rtol=0, atol=0)


def test_gae_with_a_blind_critic_is_the_reward(f0_experience: Experience) -> None:
    blind = replace(f0_experience, values=torch.zeros(4, 3, dtype=D))
    plain = GeneralisedAdvantage(discount=1.0, trace=1.0, kl_coef=0.0, whiten=False)(blind)
    assert torch.equal(plain.values, f0_experience.rewards[:, None] * f0_experience.mask)
    assert plain.returns is not None and torch.equal(plain.returns, plain.values)


def test_whitening_comes_after_the_returns(f0_experience: Experience) -> None:
    seen = replace(f0_experience, values=torch.full((4, 3), 0.25, dtype=D))
    plain = GeneralisedAdvantage(discount=1.0, trace=0.95, kl_coef=0.0, whiten=False)(seen)
    white = GeneralisedAdvantage(discount=1.0, trace=0.95, kl_coef=0.0, whiten=True)(seen)
    torch.testing.assert_close(white.returns, plain.returns, rtol=0, atol=0)
    inside = white.values[f0_experience.mask]
    assert abs(float(inside.mean())) < 1e-12
    assert float(inside.var()) == pytest.approx(1.0, rel=1e-6)


def test_the_kl_penalty_is_charged_per_token(f0_experience: Experience) -> None:
    charged = GeneralisedAdvantage(discount=1.0, trace=1.0, kl_coef=0.1, whiten=False)
    assert charged.needs_reference
    rewards = charged.token_rewards(f0_experience)
    torch.testing.assert_close(rewards[0], torch.tensor([-0.01, 0.02, 1.0], dtype=D), rtol=0, atol=1e-12)
    torch.testing.assert_close(rewards[1], torch.tensor([0.0, 0.0, 0.0], dtype=D), rtol=0, atol=1e-12)

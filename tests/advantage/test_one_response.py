"""The variance of a gradient by how a batch is shared out between prompts and responses; every case enumerated.

Two kinds of prompt, drawn at even odds, whose action is right by sigmoid(θ + c): the gradient is one number, its score
s = a − p and its reward a.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy
import pytest
import torch

from tests.advantage.test_estimators import SHRUNK, experience, values
from tvo_cli.advantage import GroupNormalised, LeaveOneOut, ShrunkLeaveOneOut

CHANCES = (0.7, 0.2)
BASELINE = 0.4
N = 4
Baseline = Callable[[torch.Tensor], torch.Tensor]  # rewards [P, G] → advantages [P, G]


def variance_of_mean_gradient(prompts: int, advantages: Baseline) -> float:
    """Var of (1/N) Σ s(R − b) over all kinds of prompts and all answers of a batch of N."""
    first = second = 0.0
    for kinds in itertools.product(CHANCES, repeat=prompts):
        chance = torch.tensor(kinds, dtype=torch.float64)[:, None]
        for answers in itertools.product((0.0, 1.0), repeat=N):
            drawn = torch.tensor(answers, dtype=torch.float64).view(prompts, N // prompts)
            weight = 0.5**prompts * float(torch.where(drawn > 0, chance, 1 - chance).prod())
            gradient = float(((drawn - chance) * advantages(drawn)).mean())
            first, second = first + weight * gradient, second + weight * gradient**2
    return second - first**2


def quenched_and_thermal(baseline: float) -> tuple[float, float]:
    """B = Var_p E[s(R − b)|p] and W = E_p Var[s(R − b)|p], for a baseline b that is given."""
    gain = [[(1 - p) * (1 - baseline), -p * -baseline] for p in CHANCES]
    means = [p * right + (1 - p) * wrong for p, (right, wrong) in zip(CHANCES, gain)]
    squares = [p * right**2 + (1 - p) * wrong**2 for p, (right, wrong) in zip(CHANCES, gain)]
    middle = sum(means) / 2
    return sum((one - middle) ** 2 for one in means) / 2, sum(s - m**2 for s, m in zip(squares, means)) / 2


@pytest.mark.parametrize("samples", [1, 2, 4])
def test_with_a_baseline_from_outside_the_group_the_variance_is_bg_plus_w_over_n(samples: int) -> None:
    quenched, thermal = quenched_and_thermal(BASELINE)
    found = variance_of_mean_gradient(N // samples, lambda rewards: rewards - BASELINE)
    assert found == pytest.approx((quenched * samples + thermal) / N, rel=1e-12)
    assert quenched > 0.0 and thermal > 0.0


def test_with_the_mean_of_the_other_prompts_one_response_a_prompt_is_best() -> None:
    """λ = 1 whatever G: only then a batch of single responses and one of groups differ by the groups alone."""
    others = ShrunkLeaveOneOut(**{**SHRUNK, "between": 0.0})
    single, pairs = (variance_of_mean_gradient(prompts, lambda rewards: values(others, rewards)) for prompts in (4, 2))
    assert single < pairs


@pytest.mark.parametrize("samples", [2, 4])
def test_leave_one_out_adds_the_noise_of_its_own_baseline(samples: int) -> None:
    """(B + (W + (σ_s² σ_R² + cov²)/(G − 1))/G)·G/N, all of a prompt; W/(G − 1) in all if s and R are normal."""
    thermal = cross = 0.0
    means = []
    for p in CHANCES:
        right, wrong = (1 - p) ** 2, p**2  # s(R − p)
        means.append(p * right + (1 - p) * wrong)
        thermal += (p * right**2 + (1 - p) * wrong**2 - means[-1] ** 2) / 2
        cross += 2 * (p * (1 - p)) ** 2 / 2
    quenched = sum((one - sum(means) / 2) ** 2 for one in means) / 2
    found = variance_of_mean_gradient(N // samples, lambda rewards: values(LeaveOneOut(), rewards))
    assert found == pytest.approx((quenched * samples + thermal + cross / (samples - 1)) / N, rel=1e-12)


@pytest.mark.parametrize("correlation", [0.0, 0.6, -1.0])
@pytest.mark.parametrize("samples", [2, 5])
def test_of_jointly_normal_scores_and_rewards_leave_one_out_has_w_over_g_minus_one(
    correlation: float, samples: int
) -> None:
    """W = Var(sR) = σ_s²σ_R² + cov² then, by exact quadrature of its moments; so (W + W/(G − 1))/G = W/(G − 1)."""
    nodes, weights = (torch.from_numpy(one) for one in numpy.polynomial.hermite_e.hermegauss(8))
    spread_of_score, spread_of_reward, weights = 0.7, 1.3, weights / weights.sum()
    score = spread_of_score * nodes[:, None].expand(8, 8)
    reward = spread_of_reward * (correlation * nodes[:, None] + math.sqrt(1 - correlation**2) * nodes[None, :])
    joint = weights[:, None] * weights[None, :]
    mean = float((joint * score * reward).sum())
    thermal = float((joint * (score * reward).square()).sum()) - mean**2
    extra = (spread_of_score * spread_of_reward) ** 2 + mean**2
    assert thermal == pytest.approx(extra, rel=1e-12)
    assert (thermal + extra / (samples - 1)) / samples == pytest.approx(thermal / (samples - 1), rel=1e-12)


def test_one_response_a_prompt_has_the_mean_of_the_others_as_its_baseline_and_no_bias() -> None:
    single = [[1.0], [0.0], [0.0], [1.0]]
    found = values(ShrunkLeaveOneOut(**SHRUNK), single)[:, 0].tolist()
    assert found == pytest.approx([1 - 1 / 3, -2 / 3, -2 / 3, 1 - 1 / 3])
    expected = sum(p * (1 - p) for p in CHANCES) / 2
    mean = 0.0
    for kinds, answers in itertools.product(
        itertools.product(CHANCES, repeat=3), itertools.product((0.0, 1.0), repeat=3)
    ):
        chance, drawn = torch.tensor(kinds, dtype=torch.float64), torch.tensor(answers, dtype=torch.float64)
        weight = float(torch.where(drawn > 0, chance, 1 - chance).prod()) / 8
        advantage = values(ShrunkLeaveOneOut(**SHRUNK), drawn[:, None])[:, 0]
        mean += weight * float(((drawn - chance) * advantage).mean())
    assert mean == pytest.approx(expected, abs=1e-12)


def test_a_batch_of_single_responses_teaches_the_shrinkage_nothing() -> None:
    estimator = ShrunkLeaveOneOut(**SHRUNK)
    before = estimator.state_dict()
    estimator.end_batch(experience([[1.0], [0.0], [1.0]]))
    assert estimator.state_dict() == before


def test_a_group_method_has_nothing_to_compare_one_response_with() -> None:
    assert values(GroupNormalised(epsilon=1e-6), [[1.0], [0.0]]).abs().max() == 0.0
    assert GroupNormalised.minimum_samples == 2 and ShrunkLeaveOneOut.minimum_samples == 1
    assert not math.isnan(float(values(GroupNormalised(epsilon=1e-6), [[1.0]])))

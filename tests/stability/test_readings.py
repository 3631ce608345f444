from __future__ import annotations

import math

import pytest
import torch

from tvo_cli.stability import readings
from tvo_cli.stability.free_energy import (
    FreeEnergy,
    dissipation,
    free_energy_of_batch,
    predicted_free_energy_dissipation,
)

MASK = torch.tensor([[True, True, False], [True, False, False]])
NAN = math.nan  # under the mask: whoever reads padding is found out


def _log(rows: list[list[float]]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64).log()


OLD = _log([[0.5, 0.25, NAN], [0.8, NAN, NAN]])
NEW = _log([[0.6, 0.05, NAN], [0.8, NAN, NAN]])


def test_total_variation_by_hand() -> None:
    found = readings.total_variation_readings(NEW, OLD, MASK)
    assert found == pytest.approx({"policy/tv": (0.1 + 0.2 + 0.0) / 3, "policy/tv_max": 0.2})


def test_entropy_sampled_and_exact() -> None:
    exact = torch.tensor([[0.3, 0.6, NAN], [0.9, NAN, NAN]], dtype=torch.float64)
    found = readings.entropy_readings(OLD, exact, MASK)
    assert found["policy/entropy"] == pytest.approx(0.6)
    sampled = -(math.log(0.5) + math.log(0.25) + math.log(0.8)) / 3
    assert found["policy/entropy_sampled"] == pytest.approx(sampled)
    assert readings.entropy_readings(OLD, None, MASK)["policy/entropy"] == pytest.approx(sampled)


def test_kl_estimates_the_divergence_of_the_policy_that_sampled() -> None:
    """Exact KL(p‖q) of a three-word vocabulary, by weighting every word with p; the other direction differs."""
    p, q = (0.7, 0.2, 0.1), (0.4, 0.4, 0.2)
    exact = sum(a * math.log(a / b) for a, b in zip(p, q))
    reverse = sum(b * math.log(b / a) for a, b in zip(p, q))
    draws = [0] * 7 + [1] * 2 + [2]  # the frequencies of p
    sampler = torch.tensor([[math.log(p[i]) for i in draws]], dtype=torch.float64)
    other = torch.tensor([[math.log(q[i]) for i in draws]], dtype=torch.float64)
    found = readings.kl_readings(sampler, other, torch.ones(1, 10, dtype=torch.bool), "kl_ref")
    assert found["policy/kl_ref"] == pytest.approx(exact, rel=1e-12)
    assert found["policy/kl_ref_k1"] == pytest.approx(exact, rel=1e-12)
    assert abs(exact - reverse) > 0.005


def test_ratio_quantiles_by_rank() -> None:
    """Ratios 0.01 … 1.00: p01 is the first of a hundred, p99 the ninety-ninth."""
    ratio = torch.arange(1, 101, dtype=torch.float64).div(100)[torch.randperm(100)]
    logp = torch.cat([ratio, torch.tensor([50.0])])[None].log()
    mask = torch.tensor([[True] * 100 + [False]])
    found = readings.ratio_quantile_readings(logp, torch.zeros_like(logp), mask)
    expected = {"p01": 0.01, "p50": 0.5, "p99": 0.99, "max": 1.0}
    assert found == pytest.approx({f"policy/ratio_{name}": value for name, value in expected.items()})
    assert set(readings.ratio_quantile_readings(logp, logp, torch.zeros_like(mask)).values()) == {1.0}


def test_damping_tells_dead_tokens_from_slowed_ones() -> None:
    weight = torch.tensor([[0.0, 0.5, NAN], [1.0, NAN, NAN]])
    assert readings.damping_readings(weight, MASK) == pytest.approx({"policy/clipped": 1 / 3, "policy/damped": 0.5})
    left_out = torch.tensor([[True, True, True], [False, True, True]])
    found = readings.damping_readings(weight, MASK, left_out)
    assert found == pytest.approx({"policy/clipped": 2 / 3, "policy/damped": 0.5})


def test_zero_advantage_counts_groups() -> None:
    """Pairs: one all right, one all wrong, two mixed; the odd one has no contrast to lose. Rows need no order."""
    group = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3, 4])
    rewards = torch.tensor([1.0, 0.0, 1.0, 0.3, 1.0, 0.0, 0.0, 0.4, 1.0])
    assert readings.group_readings(rewards, group) == {"group/zero_advantage": 0.5}
    assert readings.group_readings(rewards[:2], torch.tensor([0, 1])) == {"group/zero_advantage": 0.0}


def test_answers_by_hand() -> None:
    """Group 0: 7, 7, 8 and one unanswered; group 1: nothing at all."""
    found = readings.answer_readings(["7", "7", "8", None, None, None], [0, 0, 0, 0, 1, 1])
    entropy = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert found == pytest.approx({"answer/entropy": entropy, "answer/distinct": 2 / 3, "grader/unanswered": 0.5})
    assert readings.answer_readings([None, None], [0, 0])["answer/entropy"] == 0.0


def test_answers_agreeing_and_disagreeing_pairs() -> None:
    assert readings.answer_readings(["1", "1"], [0, 0])["answer/entropy"] == 0.0
    assert readings.answer_readings(["1", "2", None], [0, 1, 2]) == {"grader/unanswered": pytest.approx(1 / 3)}
    assert readings.answer_readings(["1", "2"], [0, 0])["answer/entropy"] == pytest.approx(math.log(2))


def test_neutral_entropy() -> None:
    ids = torch.tensor([[4, 9], [5, 9], [4, 9], [5, 9], [7, 9], [4, 9]])
    mask = torch.tensor([[True, True]] * 5 + [[False, False]])
    found = readings.neutral_word_readings(ids, mask, (4, 5, 6))
    assert found == pytest.approx({"neutral/entropy": math.log(2), "neutral/share": 0.8})
    assert readings.neutral_word_readings(ids, mask, ()) == {}
    assert readings.neutral_word_readings(ids, mask, (99,)) == {}


def test_rewards_and_responses() -> None:
    found = readings.reward_readings(torch.tensor([1.0, 0.0, 0.0, 1.0]), [True, False, False, False])
    assert found == {"reward/mean": 0.5, "reward/std": 0.5, "accuracy/fresh": 0.25}
    assert readings.length_readings(MASK, torch.tensor([True, False])) == {
        "response/length": 1.5,
        "response/length_max": 2.0,
        "response/truncated": 0.5,
    }


def test_free_energy_by_hand() -> None:
    """Surprises −log(½·¼) and −log 0.8; F = −½ − 0.1·S."""
    entropy = (math.log(8) - math.log(0.8)) / 2
    found = free_energy_of_batch(torch.tensor([1.0, 0.0]), OLD, MASK, 0.1)
    assert found.entropy == pytest.approx(entropy)
    assert found.value == pytest.approx(-0.5 - 0.1 * entropy)
    assert free_energy_of_batch(torch.tensor([1.0, 0.0]), OLD, MASK, 0.0).metrics() == pytest.approx(
        {"thermo/free_energy": -0.5, "thermo/entropy": entropy, "thermo/temperature": 0.0}
    )


def test_free_energy_is_the_lyapunov_function() -> None:
    """F(π) = T·KL(π‖π*) − T·log Z with π* ∝ exp(R/T), over a bandit whose every response is listed with weight π."""
    temperature, rewards = 0.5, torch.tensor([1.0, 0.2, 0.0], dtype=torch.float64)
    counts = [6, 3, 1]  # π = 0.6, 0.3, 0.1
    rows = [i for i, n in enumerate(counts) for _ in range(n)]
    policy = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    logp = policy.log()[rows][:, None]
    found = free_energy_of_batch(rewards[rows], logp, torch.ones_like(logp, dtype=torch.bool), temperature)
    log_z = torch.logsumexp(rewards / temperature, 0)
    gibbs = rewards / temperature - log_z
    kl = (policy * (policy.log() - gibbs)).sum()
    assert found.value == pytest.approx(float(temperature * (kl - log_z)), rel=1e-12)


def test_dissipation_is_read_at_one_temperature() -> None:
    before, after = FreeEnergy(-0.4, 8.0, 0.0), FreeEnergy(-0.5, 7.0, 0.02)
    assert dissipation(before, after) == pytest.approx(0.1 + 0.02 * (7.0 - 8.0))
    assert dissipation(after, after) == 0.0


def test_predicted_dissipation_matches_a_small_step() -> None:
    """F(θ) = ½θᵀHθ, L = 4F: one step of θ ← θ − (η/ν)∇L lowers F by what 2Φ promises, to first order."""
    h = torch.tensor([1.0, 3.0], dtype=torch.float64)
    theta, rate = torch.tensor([1.0, -2.0], dtype=torch.float64), 1e-6
    loss_gradient = 4.0 * h * theta
    after = theta - rate * loss_gradient
    fall = float((0.5 * h * (theta**2 - after**2)).sum())
    promised = predicted_free_energy_dissipation([float(loss_gradient @ loss_gradient)], [rate], per_reward=4.0)
    assert promised == pytest.approx(fall, rel=1e-4)


def test_a_vote_by_hand() -> None:
    """Groups: 3 of 4 agree and are right; a tie; 2 of 4 agree, wrong, one without an answer; nobody answers."""
    answer = torch.tensor([0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, -1, -1, -1, -1, -1])
    correct = torch.tensor([True] * 3 + [False] + [True, True, False, False] + [False] * 2 + [True] + [False] * 5)
    found = readings.vote_readings(answer, correct, torch.arange(16) // 4)
    assert found == pytest.approx({"vote/share": (3 + 2 + 2 + 0) / 16, "vote/right": 1 / 4})

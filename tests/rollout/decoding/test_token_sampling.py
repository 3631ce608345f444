"""The draw: frequencies against the distribution, truncation, and the uniform numbers behind it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tvo_cli.rollout import SamplingParams, sampler_mismatch, truncated_sampler_correction
from tvo_cli.rollout.decoding.token_sampling import sample_token, uniform_numbers

PLAIN = SamplingParams(samples=1, max_tokens=1)


def frequencies(logits: Tensor, sampling: SamplingParams, n: int = 40_000) -> Tensor:
    uniform = torch.from_numpy(np.random.default_rng(0).random(n))
    token, _ = sample_token(logits.expand(n, -1), uniform, sampling)
    return torch.bincount(token, minlength=logits.shape[-1]).double()


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_frequencies_follow_the_distribution(temperature: float) -> None:
    logits = torch.tensor([0.3, -1.0, 2.0, 0.0, -0.5, 1.2])
    pi = np.exp(logits.double().numpy() / temperature)
    expected = torch.from_numpy(pi / pi.sum()) * 40_000
    count = frequencies(logits, SamplingParams(1, 1, temperature=temperature))
    chi_square = float(((count - expected) ** 2 / expected).sum())
    assert chi_square < 20.5  # 0.999 quantile of chi-square with 5 degrees of freedom


@pytest.mark.slow
def test_frequencies_over_a_large_vocabulary_use_two_levels() -> None:
    """1,300 tokens are more than two blocks; the last is short. Mass is put at the blocks' edges."""
    logits = torch.full((1300,), -30.0)
    places = [0, 511, 512, 1023, 1024, 1299]
    logits[places] = torch.tensor([0.0, 1.0, -1.0, 0.5, 0.2, -0.3])
    pi = logits.double().softmax(-1)
    count = frequencies(logits, PLAIN)
    expected = pi[places] * 40_000
    assert float(((count[places] - expected) ** 2 / expected).sum()) < 20.5
    assert count.sum() == count[places].sum()


@pytest.mark.parametrize("vocabulary", [7, 512, 513, 5000])
def test_two_levels_choose_the_token_that_one_cumulated_sum_chooses(vocabulary: int) -> None:
    rng = np.random.default_rng(vocabulary)
    logits = torch.from_numpy(rng.normal(size=(200, vocabulary)) * 2)
    uniform = torch.from_numpy(rng.random(200))
    token, logp = sample_token(logits, uniform, PLAIN)
    pi = np.exp(logits.numpy() - logits.numpy().max(1, keepdims=True))
    pi /= pi.sum(1, keepdims=True)
    by_hand = [int(np.searchsorted(np.cumsum(p), u, side="right")) for p, u in zip(pi, uniform.numpy())]
    assert (token.numpy() != np.array(by_hand)).mean() < 0.01  # float32 weights may move an edge by 1e-7
    torch.testing.assert_close(logp.double(), torch.from_numpy(np.log(pi))[range(200), token], rtol=0, atol=1e-5)


@pytest.mark.parametrize("vocabulary", [6, 2000])
def test_a_token_of_weight_zero_is_never_drawn(vocabulary: int) -> None:
    logits = torch.full((2, vocabulary), -torch.inf)
    logits[:, 3] = 0.0
    token, logp = sample_token(logits, torch.tensor([0.0, 1.0 - 2**-53], dtype=torch.float64), PLAIN)
    assert token.tolist() == [3, 3]
    assert logp.tolist() == [0.0, 0.0]


def test_top_k_keeps_exactly_k_and_its_proportions() -> None:
    logits = torch.tensor([1.0, 1.0, 1.0, 3.0, 0.0])
    count = frequencies(logits, SamplingParams(1, 1, top_k=2))
    assert int((count > 0).sum()) == 2  # three equals: still two survive
    assert count[3] > 0
    assert float(count[3] / count.sum()) == pytest.approx(np.e**2 / (np.e**2 + 1), abs=0.01)


def test_top_p_keeps_the_smallest_set_that_reaches_p() -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    assert (frequencies(logits, SamplingParams(1, 1, top_p=0.75)) > 0).tolist() == [True, True, False, False]
    assert (frequencies(logits, SamplingParams(1, 1, top_p=0.85)) > 0).tolist() == [True, True, True, False]
    assert (frequencies(logits, SamplingParams(1, 1, top_p=0.01)) > 0).tolist() == [True, False, False, False]


def test_the_recorded_log_probability_ignores_truncation() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    for sampling in (
        SamplingParams(1, 1, top_k=1),
        SamplingParams(1, 1, top_p=0.1),
        SamplingParams(1, 1, temperature=0.0),
    ):
        token, logp = sample_token(logits, torch.tensor([0.9], dtype=torch.float64), sampling)
        assert token.item() == 0
        assert logp.item() == pytest.approx(np.log(0.5), abs=1e-6)


def test_uniform_numbers_belong_to_seed_key_and_sample() -> None:
    rows = uniform_numbers(0, [("a", 0), ("a", 1), ("b", 0), ("b", 1)], 5)
    assert rows.shape == (4, 5)
    assert len({float(x) for x in rows.flatten()}) == 20
    assert torch.equal(uniform_numbers(0, [("b", 1)], 3)[0], rows[3, :3])  # a longer limit keeps the start
    assert not torch.equal(uniform_numbers(1, [("b", 1)], 5)[0], rows[3])
    many = uniform_numbers(0, [(str(i), g) for i in range(200) for g in range(4)], 50).flatten()
    assert float(many.mean()) == pytest.approx(0.5, abs=0.005)
    assert float(many.var()) == pytest.approx(1 / 12, abs=0.001)


def test_mismatch_and_truncated_importance_by_hand() -> None:
    sampler = torch.log(torch.tensor([[0.5, 0.2], [0.4, 0.9]]))
    trainer = torch.log(torch.tensor([[0.6, 0.1], [0.1, 0.1]]))
    mask = torch.tensor([[True, True], [True, False]])
    found = sampler_mismatch(sampler, trainer, mask)
    gaps = [np.log(1.2), np.log(0.5), np.log(0.25)]
    assert found["policy/mismatch"] == pytest.approx(sum(map(abs, gaps)) / 3, rel=1e-5)
    assert found["policy/mismatch_max"] == pytest.approx(np.log(4), rel=1e-5)
    assert found["policy/mismatch_response"] == pytest.approx(np.log(4), rel=1e-5)
    weights = truncated_sampler_correction(sampler, trainer, mask, cap=1.1)
    torch.testing.assert_close(weights, torch.tensor([[1.1, 0.5], [0.25, 1.0]]))


@pytest.mark.parametrize("vocabulary", [7, 512, 513, 1300])
@pytest.mark.parametrize(
    "sampling",
    [PLAIN, SamplingParams(1, 1, temperature=0.0), SamplingParams(1, 1, top_k=3), SamplingParams(1, 1, top_p=0.9)],
)
@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_give_a_token_of_the_vocabulary_and_no_log_probability(
    vocabulary: int, sampling: SamplingParams, broken: float
) -> None:
    """An index beyond it would end a GPU's process without a word; the row beside is as ever."""
    logits = torch.linspace(-1.0, 1.0, vocabulary).repeat(3, 1)
    logits[0, 2], logits[1] = broken, float("nan")
    uniform = torch.tensor([0.9999, 0.9999, 0.3], dtype=torch.float64)
    token, logp = sample_token(logits, uniform, sampling)
    assert int(token.min()) >= 0 and int(token.max()) < vocabulary
    assert logp.isfinite().tolist() == [False, False, True]
    whole, _ = sample_token(logits[2:], uniform[2:], sampling)
    assert int(token[2]) == int(whole)

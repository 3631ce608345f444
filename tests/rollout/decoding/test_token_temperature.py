"""Token temperature: HAPO's numbers on F0, what the sampler draws by it, and what it records and carries."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from tvo_cli.errors import UserError
from tvo_cli.maths.entropy_level import EntropyLevels
from tvo_cli.rollout import SamplingParams, TokenTemperature
from tvo_cli.rollout.decoding.token_sampling import sample_token
from tvo_cli.rollout.decoding.token_temperature import TokenHeat

LEVELS = EntropyLevels(pivot=math.log(0.5), spread=1.0, most=math.log(2.0), least=math.log(0.5))
PLAIN = SamplingParams(samples=1, max_tokens=1)


def logits_of_entropy(*entropies: float) -> torch.Tensor:
    """Two words each, by bisection of their odds: H of a coin goes from ln 2 to 0."""
    rows = []
    for wanted in entropies:
        low, high = 0.0, 40.0
        for _ in range(80):
            middle = (low + high) / 2
            p = 1 / (1 + math.exp(-middle))
            entropy = -p * math.log(p) - (1 - p) * math.log1p(-p) if p < 1 else 0.0
            low, high = (middle, high) if entropy > wanted else (low, middle)
        rows.append([low, 0.0])
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize(
    ("entropy", "factor"), [(0.5, 1.0), (0.25, 0.95), (0.01, 0.95), (0.25 * 2**0.5, 0.975), (0.6, 1.0131517)]
)
def test_certain_tokens_are_colder_and_uncertain_ones_hotter(entropy: float, factor: float) -> None:
    """τ = .05, log H against ln ½ in steps of ln 2: levels 0, −1, below −1 (clipped), −½, log₂ 1.2."""
    found = TokenHeat(0.05, LEVELS).factor(logits_of_entropy(entropy).log_softmax(-1))
    assert found.item() == pytest.approx(factor, abs=1e-6)


def test_levels_of_a_batch_are_those_of_f0(f0_entropy: torch.Tensor, f0_mask: torch.Tensor) -> None:
    """ρ = .8: pivot .182322, spread 1.078354; ht of the tokens with H = .1 and 2.1 is −1 and 1."""
    rule = TokenTemperature(strength=0.05, quantile=0.8)
    assert rule.heat is None and rule.state_dict() == {}
    rule.end_batch(f0_entropy, f0_mask)
    assert rule.levels is not None and rule.heat is not None
    assert (rule.levels.pivot, rule.levels.spread) == pytest.approx((0.182322, 1.078354), abs=1e-6)
    assert rule.levels.level(torch.tensor([0.1, 2.1])).tolist() == pytest.approx([-1.0, 1.0])
    twin = TokenTemperature(strength=0.05, quantile=0.8)
    twin.load_state_dict(rule.state_dict())
    assert twin == rule
    twin.load_state_dict({})
    assert twin.heat is None


@pytest.fixture
def f0_entropy() -> torch.Tensor:
    return torch.tensor([[0.3, 1.2, 2.1], [0.8, 0.4, 9.0], [0.6, 1.7, 0.9], [0.1, 9.0, 9.0]])


@pytest.fixture
def f0_mask() -> torch.Tensor:
    return torch.tensor([[1, 1, 1], [1, 1, 0], [1, 1, 1], [1, 0, 0]]).bool()


@pytest.mark.parametrize("top_p", [1.0, 0.9])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_a_token_is_drawn_at_its_own_temperature_and_recorded_at_the_runs(temperature: float, top_p: float) -> None:
    """Quantiles of u in the law at T·1.5 and T·0.5, by hand; log π at T."""
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0]] * 2000 + [[9.0, 1.0, 0.0, -1.0]] * 2000)
    uniform = torch.rand(4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    entropy = [float(torch.distributions.Categorical(logits=row / temperature).entropy()) for row in logits[[0, -1]]]
    middle = sum(map(math.log, entropy)) / 2
    levels = EntropyLevels(middle, 1.0, math.log(entropy[0]) - middle, math.log(entropy[1]) - middle)
    sampling = replace(PLAIN, temperature=temperature, top_p=top_p, heat=TokenHeat(0.5, levels))
    token, logp = sample_token(logits, uniform, sampling)
    for rows, factor in ((slice(0, 2000), 1.5), (slice(2000, 4000), 0.5)):
        pi = (logits[rows][0] / (temperature * factor)).softmax(-1)
        kept = torch.where(pi.cumsum(-1) - pi < top_p, pi, 0.0)
        expected = torch.searchsorted((kept / kept.sum()).cumsum(-1).double(), uniform[rows], right=True).clamp(max=3)
        assert (token[rows] != expected).float().mean() < 2e-3, "but for uniform numbers on an edge"
    torch.testing.assert_close(logp, (logits / temperature).log_softmax(-1).gather(1, token[:, None]).squeeze(1))
    assert (token != sample_token(logits, uniform, replace(sampling, heat=None))[0]).any()


def test_strength_0_is_the_runs_temperature_bit_for_bit() -> None:
    rule = TokenTemperature(strength=0.0, quantile=0.8)
    rule.end_batch(torch.rand(4, 3) + 0.1, torch.ones(4, 3).bool())
    assert rule.heat is None


def test_over_a_large_vocabulary_too() -> None:
    rng = torch.Generator().manual_seed(1)
    logits, uniform = torch.randn(8, 3000, generator=rng), torch.rand(8, generator=rng, dtype=torch.float64)
    hot = sample_token(logits, uniform, replace(PLAIN, heat=TokenHeat(0.9, EntropyLevels(0.0, 1.0, 1.0, -1.0))))[0]
    entropy = torch.distributions.Categorical(logits=logits).entropy().log().clamp(max=1.0)
    expected = (logits / (1 + 0.9 * entropy)[:, None]).softmax(-1).double().cumsum(-1)
    assert hot.tolist() == torch.searchsorted(expected, uniform[:, None], right=True).squeeze(1).tolist()


@pytest.mark.parametrize("strength", [-0.1, 1.0])
def test_a_temperature_of_nothing_is_refused(strength: float) -> None:
    with pytest.raises(UserError, match=rf"algorithm\.token_temperature\.strength={strength}"):
        TokenTemperature(strength=strength, quantile=0.8)

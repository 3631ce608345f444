"""The set-point from the fluctuation of the rewards: the Gibbs path by enumeration, both ends, what is carried."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch

from tvo_cli import config
from tvo_cli.errors import UserError
from tvo_cli.maths.groups import sampling_variance
from tvo_cli.optim import Constant, Fluctuation, Free, Probability, RewardReadingStepRule, Viscosity

D = torch.float64
PAIRS = torch.tensor([0, 0, 1, 1])
SINGLE = torch.arange(4)
ONE_SOURCE = torch.zeros(4, dtype=torch.int64)
MIXED, RIGHT, WRONG = torch.tensor([0.0, 1.0, 1.0, 1.0]), torch.ones(4), torch.zeros(4)


def rule(decay: float = 0.8) -> Viscosity:
    fluctuation = Fluctuation(unit=0.5, decay=decay)
    return Viscosity(Probability(0.01), Constant(), exponent=0.5, initial=10.0, maximum=256.0, fluctuation=fluctuation)


def begin(viscosity: Viscosity, rewards: torch.Tensor, group: torch.Tensor = PAIRS) -> float:
    """The set-point of a batch of these rewards."""
    viscosity.observe_rewards(rewards, group, torch.zeros_like(group))
    viscosity.begin_batch(torch.zeros(1, 1), torch.ones(1, 1, dtype=torch.bool), 0, 30)
    return viscosity.target


def batch(viscosity: Viscosity, rewards: torch.Tensor, moved: float, group: torch.Tensor = PAIRS) -> float:
    """One batch of two steps of which the first moved so far; its set-point."""
    found = begin(viscosity, rewards, group)
    viscosity.viscosity(0.0), viscosity.viscosity(moved)
    viscosity.end_batch()
    return found


def test_along_the_gibbs_path_displacement_goes_as_the_root_of_the_variance() -> None:
    """π_λ ∝ π·exp(λR) over five answers: d⟨R⟩/dλ = Var R and KL(π_{λ+h}‖π_λ) = ½h² Var R to the third order."""
    policy = torch.tensor([0.1, 0.2, 0.3, 0.15, 0.25], dtype=D)
    reward, h = torch.tensor([0.0, 1.0, 0.0, 0.5, 1.0], dtype=D), 1e-3

    def tilted(strength: float) -> torch.Tensor:
        return torch.softmax(policy.log() + strength * reward, 0)

    for strength in (0.0, 1.0, 4.0):
        here, there, back = tilted(strength), tilted(strength + h), tilted(strength - h)
        variance = float((here * reward.square()).sum() - (here @ reward) ** 2)
        assert float((there - back) @ reward) / (2 * h) == pytest.approx(variance, rel=1e-5)
        divergence = float((there * (there.log() - here.log())).sum())
        assert math.sqrt(2 * divergence) / h == pytest.approx(math.sqrt(variance), rel=1e-2)


def test_the_variance_is_that_inside_groups_and_where_these_are_single_that_inside_sources() -> None:
    assert sampling_variance(MIXED, PAIRS, ONE_SOURCE) == pytest.approx(0.25)  # (½ + 0)/2 of two degrees of freedom
    assert sampling_variance(MIXED, SINGLE, ONE_SOURCE) == pytest.approx(0.25)  # 3 · (¼ of 4) / 3
    apart = torch.tensor([0.0, 1.0, 10.0, 13.0])
    assert sampling_variance(apart, SINGLE, PAIRS) == pytest.approx((0.5 + 4.5) / 2), "never between sources"
    uneven = torch.tensor([0, 1, 1, 1])
    assert sampling_variance(torch.tensor([9.0, 0.0, 1.0, 2.0]), uneven, ONE_SOURCE) == pytest.approx(1.0)
    assert sampling_variance(MIXED[:1], SINGLE[:1], ONE_SOURCE[:1]) == 0.0
    tenths = torch.full((4,), 0.1)
    assert sampling_variance(tenths, PAIRS, ONE_SOURCE) == sampling_variance(tenths, SINGLE, ONE_SOURCE) == 0.0


@pytest.mark.parametrize("group", [PAIRS, SINGLE], ids=["pairs", "single"])
def test_even_odds_leave_the_set_point_and_equal_rewards_take_it_away(group: torch.Tensor) -> None:
    viscosity = rule()
    assert begin(viscosity, MIXED, group) == pytest.approx(0.01, rel=1e-6), "√0.25 / 0.5 = 1"
    viscosity.end_batch()
    seen = [batch(viscosity, RIGHT, 0.0, group) for _ in range(60)]
    assert seen[:2] == pytest.approx([0.01 * math.sqrt(0.8), 0.01 * 0.8], rel=1e-6)
    assert seen[-1] == pytest.approx(0.01 * 0.02, rel=1e-9), "the least factor"


@pytest.mark.parametrize("rewards", [WRONG, RIGHT], ids=["sparse", "saturated"])
@pytest.mark.parametrize("group", [PAIRS, SINGLE], ids=["pairs", "single"])
def test_batches_that_tell_nothing_apart_leave_the_viscosity(rewards: torch.Tensor, group: torch.Tensor) -> None:
    """The policy stayed for want of a force; with ν_b lowered for it the first answer that differs would overshoot."""
    viscosity = rule()
    for _ in range(20):
        batch(viscosity, rewards, 0.0, group)
    assert viscosity.base == 10.0
    assert begin(viscosity, MIXED, group) == pytest.approx(0.01 * math.sqrt(0.2), rel=1e-6), "and it moves at once"
    batch(viscosity, rewards, 0.02, group)
    assert viscosity.base > 10.0, "what another force moved too far is braked"
    plain = Viscosity(Probability(0.01), Constant(), exponent=0.5, initial=10.0, maximum=256.0)
    for _ in range(20):
        batch(plain, rewards, 0.0, group)
    assert plain.base == 1.0, "what this test is about"


def test_a_start_without_a_right_answer_begins_at_the_least_and_nothing_divides_by_zero() -> None:
    viscosity = rule()
    assert begin(viscosity, WRONG, SINGLE) == pytest.approx(0.01 * 0.02)
    assert math.isfinite(viscosity.viscosity(0.0)) and math.isfinite(viscosity.viscosity(0.01))
    bare = Viscosity(Probability(1e-6), Constant(), 0.5, 10.0, 256.0, fluctuation=Fluctuation(unit=0.5, decay=0.8))
    batch(bare, WRONG, 0.0)
    assert bare.base == 10.0, "a deterministic policy that stays"


def test_rewards_that_are_not_finite_change_nothing() -> None:
    viscosity = rule()
    batch(viscosity, MIXED, 0.01)
    assert begin(viscosity, torch.tensor([0.0, math.nan, 1.0, 1.0])) == pytest.approx(0.01)
    viscosity.end_batch()
    assert viscosity.fluctuation is not None and viscosity.fluctuation.average == pytest.approx(0.25)


def test_a_run_resumed_between_any_two_updates_goes_on_as_it_was() -> None:
    """Before the first update a batch begins again: it must count once."""
    viscosity = rule()
    batch(viscosity, MIXED, 0.01)
    begin(viscosity, WRONG)
    before_the_first = rule()
    before_the_first.load_state_dict(viscosity.state_dict())
    assert begin(before_the_first, WRONG) == viscosity.target
    viscosity.viscosity(0.0)
    between = rule()
    between.load_state_dict(viscosity.state_dict())
    for one in (viscosity, between):
        one.viscosity(0.004)
        one.end_batch()
    assert viscosity.state_dict() == between.state_dict() and viscosity.base == 10.0
    assert begin(viscosity, MIXED) == begin(between, MIXED)


def test_without_it_nothing_is_carried_and_a_state_of_before_is_read() -> None:
    plain = Viscosity(Probability(0.01), Constant(), exponent=0.5, initial=10.0, maximum=256.0)
    assert begin(plain, WRONG) == 0.01 and "reward_variance" not in plain.state_dict()
    other = rule()
    other.load_state_dict(plain.state_dict())
    assert begin(other, MIXED) == pytest.approx(0.01)
    assert isinstance(plain, RewardReadingStepRule) and not isinstance(Free(), RewardReadingStepRule)


def test_an_infinite_unit_and_a_least_of_one_recover_the_set_point() -> None:
    inert = rule()
    inert.fluctuation = Fluctuation(unit=math.inf, decay=0.8, least=1.0)
    assert [begin(inert, rewards) for rewards in (MIXED, WRONG, RIGHT)] == [0.01] * 3
    inert.fluctuation = Fluctuation(unit=None, decay=0.8, least=1.0)
    assert [batch(inert, rewards, 0.01) for rewards in (MIXED, WRONG, RIGHT)] == [0.01] * 3


def test_without_a_unit_a_run_cools_once_its_fluctuations_have_passed_their_peak() -> None:
    """None to all of four answers right: Var R is 0, ¼, ⅓, ¼, 0, and the factor √(Var R/its peak so far)."""
    viscosity = rule()
    viscosity.fluctuation = Fluctuation(unit=None, decay=0.0)
    rewards = (torch.tensor([1.0] * right + [0.0] * (4 - right)) for right in range(5))
    found = [batch(viscosity, drawn, 0.01, SINGLE) / 0.01 for drawn in rewards]
    assert found == pytest.approx([1.0, 1.0, 1.0, math.sqrt(0.75), 0.02])
    other = Fluctuation(unit=None, decay=0.0)
    other.load_state_dict(viscosity.fluctuation.state_dict())
    other.observe(1 / 12)
    assert other.factor == pytest.approx(0.5), "a quarter of the peak's variance, ⅓, which is carried"


def test_before_any_right_answer_there_is_no_peak_and_the_set_point_stands() -> None:
    viscosity = rule()
    viscosity.fluctuation = Fluctuation(unit=None, decay=0.8)
    assert [batch(viscosity, WRONG, 0.0, SINGLE) for _ in range(3)] == [0.01] * 3 and viscosity.base == 10.0
    assert begin(viscosity, MIXED, SINGLE) == 0.01, "the first that differ are the peak so far"


@pytest.mark.parametrize("unit", [0, -1])
def test_a_unit_that_nothing_can_be_divided_by_is_refused(unit: int) -> None:
    with pytest.raises(UserError, match=rf"fluctuation\.unit={unit}: must be a number, more than 0 or null"):
        config.compose(["algorithm=tvo", f"algorithm.step_rule.fluctuation.unit={unit}", "output_dir=x"])


def test_the_recipe_has_the_constants_of_the_page() -> None:
    """d̄_k = 0.3 · mean π(1 − π) · (1.3 − 0.9·k/K) · max(√w_k/½, 0.02), w_k = 0.8 w_{k−1} + 0.2 Var R."""
    viscosity = config.build(config.compose(["algorithm=tvo_fluctuation", "logger=none"]).algorithm.step_rule)
    variance = 0.25
    for k, (rewards, fresh) in enumerate(((MIXED, 0.25), (RIGHT, 0.0), (WRONG, 0.0))):
        variance = 0.8 * variance + 0.2 * fresh if k else fresh
        viscosity.observe_rewards(rewards, PAIRS, ONE_SOURCE)
        viscosity.begin_batch(torch.full((1, 2), 0.2).log(), torch.ones(1, 2, dtype=torch.bool), k, 30)
        expected = 0.3 * 0.16 * (1.3 - 0.9 * k / 30) * max(math.sqrt(variance) / 0.5, 0.02)
        assert viscosity.target == pytest.approx(expected, rel=1e-6)
        viscosity.end_batch()
    assert viscosity.fluctuation.least == 0.02


def test_tvo_itself_has_those_of_its_own() -> None:
    """d̄_k = 0.11 · mean π(1 − π) · (1.75 − 0.75·k/K) · √(w_k/max w), and ν_b down to 1/32."""
    viscosity = config.build(config.compose(["algorithm=tvo", "logger=none"]).algorithm.step_rule)
    for k, right, factor in ((0, 2, 1.0), (15, 3, math.sqrt(1 - 0.2 * 0.25)), (30, 2, 1.0)):
        viscosity.observe_rewards(torch.tensor([1.0] * right + [0.0] * (4 - right)), SINGLE, ONE_SOURCE)
        viscosity.begin_batch(torch.full((1, 2), 0.2).log(), torch.ones(1, 2, dtype=torch.bool), k, 30)
        viscosity.end_batch()
        if k < 30:  # then w has half come back to its peak
            assert viscosity.target == pytest.approx(0.11 * 0.16 * (1.75 - 0.75 * k / 30) * factor, rel=1e-6)
    assert viscosity.target < 0.11 * 0.16
    assert (viscosity.minimum, viscosity.maximum, viscosity.fluctuation.unit) == (1 / 32, 256.0, None)


def test_of_single_responses_the_variance_holds_that_between_prompts_besides() -> None:
    """w + τ² by enumeration of two prompts and their answers; √((w + τ²)/w) is 15% at w = 0.18, τ² = 0.06."""
    chances, found = (0.8, 0.3), {"pairs": 0.0, "single": 0.0}
    for kinds in product(chances, repeat=2):
        for answers in product((0.0, 1.0), repeat=4):
            prompts = [kinds[0], kinds[0], kinds[1], kinds[1]]
            drawn = torch.tensor(answers, dtype=D)
            weight = 0.25 * math.prod(p if right else 1 - p for p, right in zip(prompts, answers, strict=True))
            found["pairs"] += weight * sampling_variance(drawn, PAIRS, ONE_SOURCE)
            found["single"] += weight * sampling_variance(drawn[::2], SINGLE[:2], ONE_SOURCE[:2])
    within, between = sum(p * (1 - p) for p in chances) / 2, 0.25**2
    assert found == pytest.approx({"pairs": within, "single": within + between}, rel=1e-12)
    assert math.sqrt((0.18 + 0.06) / 0.18) == pytest.approx(1.15, abs=0.005)

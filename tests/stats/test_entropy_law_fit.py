from __future__ import annotations

import math

import numpy as np
import pytest

from tvo_cli.stats.entropy_law_fit import EntropyLawFit, fit_entropy_law

pytestmark = pytest.mark.filterwarnings("error")  # numpy says nothing on the way to a nan


def fitted(entropy: list[float], reward: list[float]) -> EntropyLawFit:
    law = fit_entropy_law(entropy, reward)
    assert law is not None
    return law


def test_the_law_is_found_again() -> None:
    """a = .05, b = .6 at H = 2, 1, .5, .2, six digits: the numbers of the design notes, ceiling .55."""
    law = fitted([2.0, 1.0, 0.5, 0.2], [0.230547, 0.464086, 0.517564, 0.53893])
    assert (law.a, law.b, law.ceiling) == pytest.approx((0.05, 0.6, 0.55), abs=2e-6)
    assert law.rmse < 1e-6 and law.r2 == pytest.approx(1.0) and law.n == 4
    assert law.reward([0.0, 2.0]) == pytest.approx([0.55, 0.230547], abs=2e-6)
    assert law.reward(0.0) == pytest.approx([law.ceiling])


def test_residuals_by_hand() -> None:
    """e^H = 1, 2, 3 and R = 0, 1, 0: flat line at 1/3, residuals −1/3, 2/3, −1/3."""
    law = fitted([0.0, math.log(2), math.log(3)], [0.0, 1.0, 0.0])
    assert (law.a, law.b) == (pytest.approx(0.0, abs=1e-12), pytest.approx(1 / 3))
    assert law.rmse == pytest.approx(math.sqrt((1 + 4 + 1) / 9 / 3)) and law.r2 == pytest.approx(0.0, abs=1e-12)


def test_numpys_least_squares_agrees() -> None:
    generator = np.random.default_rng(0)
    entropy, reward = generator.uniform(0.1, 2.5, 40), generator.random(40)
    design = np.stack([-np.exp(entropy), np.ones(40)], axis=1)
    a, b = np.linalg.lstsq(design, reward)[0]
    law = fitted(entropy.tolist(), reward.tolist())
    assert (law.a, law.b) == pytest.approx((a, b))


def test_nan_pairs_are_left_out_and_counted() -> None:
    nan = float("nan")
    law = fitted([2.0, nan, 1.0, 0.5, 0.2, 9.0], [0.230547, 0.1, 0.464086, 0.517564, 0.53893, nan])
    assert law.n == 4 and law.b == pytest.approx(0.6, abs=2e-6)


@pytest.mark.parametrize(
    ("entropy", "reward"),
    [([], []), ([1.0, 2.0], [0.1, 0.2]), ([1.0] * 5, [0.1, 0.2, 0.3, 0.4, 0.5]), ([float("nan")] * 4, [0.1] * 4)],
)
def test_no_law(entropy: list[float], reward: list[float]) -> None:
    assert fit_entropy_law(entropy, reward) is None


def test_a_reward_that_does_not_move() -> None:
    law = fitted([0.1, 0.5, 1.0], [0.4] * 3)
    assert (law.a, law.ceiling) == (pytest.approx(0.0), pytest.approx(0.4)) and math.isnan(law.r2)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError):
        fit_entropy_law([1.0, 2.0], [0.1])

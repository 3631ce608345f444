from __future__ import annotations

import math

import pytest

from tvo_cli.stats import mean_interval, wilson_interval
from tvo_cli.stats.survival import kaplan_meier, median_survival_time, restricted_mean_survival

pytestmark = pytest.mark.filterwarnings("error")  # numpy says nothing on the way to a nan

# remission of leukaemia under 6-mercaptopurine, weeks (Freireich et al. 1963): the textbook's censored sample
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
# lifelines 0.30.3, KaplanMeierFitter().fit(WEEKS, RELAPSED): time, estimate, lower 0.95, upper 0.95
LIFELINES = {
    6: (0.857143, 0.619718, 0.951552),
    7: (0.806723, 0.563147, 0.922809),
    10: (0.752941, 0.503200, 0.889362),
    13: (0.690196, 0.431610, 0.849066),
    16: (0.627451, 0.367511, 0.804912),
    22: (0.537815, 0.267779, 0.746791),
    23: (0.448179, 0.188052, 0.680143),
    35: (0.448179, 0.188052, 0.680143),
}


def test_kaplan_meier_is_lifelines() -> None:
    s = kaplan_meier(WEEKS, RELAPSED)
    for time, expected in LIFELINES.items():
        i = s.times.index(time)
        assert (s.survival[i], s.low[i], s.high[i]) == pytest.approx(expected, abs=1e-6)
    assert s.at_risk[s.times.index(6)] == 21 and s.at_risk[s.times.index(23)] == 6
    assert median_survival_time(s) == 23


def test_without_censoring_it_is_the_share_that_stands() -> None:
    s = kaplan_meier([3, 1, 2, 2], [True] * 4)
    assert s.times == (0, 1, 2, 3) and s.survival == pytest.approx((1.0, 0.75, 0.25, 0.0))
    assert s.at_risk == (4, 4, 3, 1)
    assert (s.low[3], s.high[3]) == (0.0, s.high[2])


def test_no_collapse_is_not_certainty() -> None:
    s = kaplan_meier([100] * 5, [False] * 5)
    assert s.survival == (1.0, 1.0) and s.high == (1.0, 1.0)
    assert s.low == pytest.approx((wilson_interval(5, 5).low,) * 2)
    assert median_survival_time(s) is None
    assert median_survival_time(kaplan_meier([1, 2], [True, True])) == 1  # at most half


def test_the_band_holds_the_curve_and_falls_with_it() -> None:
    s = kaplan_meier([1, 2, 2, 3, 5, 8], [1, 1, 0, 1, 0, 1])
    assert all(low <= share <= high for share, low, high in zip(s.survival, s.low, s.high))
    assert list(s.high) == sorted(s.high, reverse=True) and list(s.survival) == sorted(s.survival, reverse=True)


def test_a_run_censored_at_an_event_is_at_risk_there() -> None:
    assert kaplan_meier([2, 2], [True, False]).survival[-1] == 0.5


def test_a_collapse_at_the_start() -> None:
    s = kaplan_meier([0, 4], [True, False])
    assert s.times == (0, 4) and s.survival == (0.5, 0.5)
    assert restricted_mean_survival(s, 4).mean == 2.0


@pytest.mark.parametrize("times", [[], [-1.0], [float("nan")]])
def test_bad_times(times: list[float]) -> None:
    with pytest.raises(ValueError):
        kaplan_meier(times, [True] * len(times))
    with pytest.raises(ValueError):
        kaplan_meier([1.0, 2.0], [True])


def test_restricted_mean_is_lifelines() -> None:
    """lifelines 0.30.3, restricted_mean_survival_time(fitter, 20) and (…, 35)."""
    s = kaplan_meier(WEEKS, RELAPSED)
    assert restricted_mean_survival(s, 20).mean == pytest.approx(16.116526610644254)
    assert restricted_mean_survival(s, 35).mean == pytest.approx(23.287394957983185)
    assert restricted_mean_survival(s, 35).n == 21


def test_the_spread_of_a_restricted_mean_by_hand() -> None:
    """Events at 1 (of 4) and 3 (of 2), losses at 2 and 4: Ŝ = 3/4 then 3/8, rests 15/8 and 3/8 until 4.

    σ² = 4/3 · ((15/8)²/(4·3) + (3/8)²/(2·1)) = 0.484375; t₃ at 80% = 1.637744.
    """
    found = restricted_mean_survival(kaplan_meier([1, 2, 3, 4], [1, 0, 1, 0]), 4, 0.8)
    assert found.mean == pytest.approx(2.875)
    assert found.mean - found.low == pytest.approx(1.6377443536962102 * math.sqrt(0.484375), rel=1e-9)
    assert found.high == 4.0  # 4.0148, cut at the horizon


@pytest.mark.parametrize("horizon", [2.5, 4.0, 9.0])
def test_without_losses_it_is_the_t_interval_of_the_cut_times(horizon: float) -> None:
    for times in ([1.0, 2.0, 2.0, 3.5, 9.0], [0.0, 0.0, 4.0, 9.0]):
        found = restricted_mean_survival(kaplan_meier(times, [True] * len(times)), horizon)
        mean, low, high, n = mean_interval([min(t, horizon) for t in times])
        assert found == pytest.approx((mean, max(0.0, low), min(horizon, high), n))


def test_where_the_restricted_mean_is_not_known() -> None:
    lost = kaplan_meier([3, 5], [True, False])
    assert all(map(math.isnan, restricted_mean_survival(lost, 6)[:3]))  # nobody watched from 5 to 6
    assert restricted_mean_survival(lost, 5).mean == pytest.approx(4.0)
    none = restricted_mean_survival(kaplan_meier([5, 5], [False] * 2), 4)
    assert none.mean == 4.0 and math.isnan(none.low)
    over = restricted_mean_survival(kaplan_meier([3, 5], [True, True]), 9)
    assert over.mean == pytest.approx(4.0)  # all down by 5: nothing is missing
    with pytest.raises(ValueError):
        restricted_mean_survival(lost, 0)

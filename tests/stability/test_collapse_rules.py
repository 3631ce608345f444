from __future__ import annotations

import json
import math
from typing import Any

import pytest

from tvo_cli.stability.collapse_rules import (
    Ceiling,
    Drop,
    Floor,
    GradientBlowUp,
    LengthBand,
    NonFinite,
    Truncation,
    ZeroAdvantage,
)
from tvo_cli.stability.rule_interface import CollapseRule, RuleFiring

SOME: dict[str, Any] = {"severity": "collapse", "patience": 1}
NAN, INF = math.nan, math.inf


def run(rule: CollapseRule, **series: list[float]) -> list[RuleFiring]:
    """Every firing of a rule over steps 1, 2, …; `a__b` names the metric a/b."""
    names = [name.replace("__", "/") for name in series]
    steps = zip(*series.values())
    found = [rule.check(k, dict(zip(names, values))) for k, values in enumerate(steps, start=1)]
    return [firing for firing in found if firing is not None]


def floor(**changes: float) -> Floor:
    settings: dict[str, Any] = {"share": 0.1, "absolute": 0.005, "solved": 0.9}
    settings |= {"warmup": 2, "smoothing": 0.0, "patience": 2}
    return Floor(severity="collapse", metric="policy/entropy", **{**settings, **changes})


def test_floor_fires_at_the_second_step_below_a_share_of_the_start() -> None:
    found = run(floor(), policy__entropy=[0.6, 0.5, 0.4, 0.061, 0.059, 0.05, 0.04])
    assert [f.step for f in found] == [6, 7]
    assert (found[0].value, found[0].threshold) == (0.05, pytest.approx(0.06))
    assert found[0].metric == "policy/entropy"
    assert "0.05" in found[0].message
    assert "0.06" in found[0].message


def test_one_step_above_the_floor_starts_the_count_again() -> None:
    assert run(floor(), policy__entropy=[0.6, 0.6, 0.05, 0.07, 0.05, 0.07, 0.05]) == []


def test_floor_takes_the_highest_of_the_first_steps() -> None:
    """A collapse already inside the warm-up must not lower the bar."""
    found = run(floor(), policy__entropy=[0.6, 0.1, 0.05, 0.05])
    assert [f.step for f in found] == [4]


def test_absolute_floor_holds_beside_the_relative_one() -> None:
    found = run(floor(), policy__entropy=[0.02, 0.02, 0.004, 0.004])
    assert [(f.step, f.threshold) for f in found] == [(4, 0.005)]
    assert run(floor(), policy__entropy=[0.004, 0.004, 0.003, 0.003]) == []  # it began below: not its own doing


def test_a_solved_task_may_be_certain() -> None:
    low = [0.6, 0.6, 0.01, 0.01, 0.01]
    assert run(floor(), policy__entropy=low, accuracy__fresh=[0.5, 0.5, 0.95, 0.95, 0.95]) == []
    assert len(run(floor(), policy__entropy=low, accuracy__fresh=[0.5, 0.5, 0.4, 0.4, 0.4])) == 2
    assert len(run(floor(solved=2.0), policy__entropy=low, accuracy__fresh=[1.0] * 5)) == 2


def test_floor_smooths() -> None:
    """0.5·0.6 + 0.5·0 = 0.3, 0.15, 0.075, 0.0375: below 0.06 at the fourth zero."""
    found = run(floor(smoothing=0.5, patience=1), policy__entropy=[0.6, 0.6, 0.0, 0.0, 0.0, 0.0])
    assert [(f.step, f.value) for f in found] == [(6, pytest.approx(0.0375))]


def drop(**changes: float) -> Drop:
    settings: dict[str, Any] = {"share": 0.5, "minimum_peak": 0.2, "smoothing": 0.0, "patience": 2}
    return Drop(severity="collapse", metric="reward/mean", **{**settings, **changes})


def test_drop_fires_below_half_of_the_peak() -> None:
    found = run(drop(), reward__mean=[0.4, 0.8, 0.6, 0.41, 0.39, 0.38])
    assert [(f.step, f.value, f.threshold) for f in found] == [(6, 0.38, 0.4)]
    assert "0.8" in found[0].message


def test_drop_waits_for_a_peak_worth_the_name() -> None:
    assert run(drop(), reward__mean=[0.1, 0.19, 0.0, 0.0, 0.0]) == []
    assert run(drop(), reward__mean=[-1.0, -2.0, -5.0, -5.0]) == []
    assert len(run(drop(), reward__mean=[0.1, 0.2, 0.0, 0.0, 0.0])) == 2


def test_drop_by_smoothed_values() -> None:
    """decay 0.8 from 0.45 down to 0.1: 0.1 + 0.35·0.8^k < 0.225 first at k = 5, patience 2: one later."""
    found = run(drop(smoothing=0.8), reward__mean=[0.45] * 3 + [0.1] * 8)
    assert found[0].step == 3 + 5 + 1
    assert found[0].value == pytest.approx(0.1 + 0.35 * 0.8**6)


def test_drop_ignores_what_is_not_a_number() -> None:
    assert run(drop(), reward__mean=[0.8, NAN, NAN, INF, 0.8]) == []


def test_ceiling() -> None:
    rule = Ceiling(severity="warning", patience=2, metric="policy/kl_ref", limit=2.0)
    found = run(rule, policy__kl_ref=[0.1, 3.0, 0.1, 2.0, 2.1, 9.0, 50.0])
    assert [(f.step, f.value, f.severity) for f in found] == [(6, 9.0, "warning"), (7, 50.0, "warning")]


def test_wary_half_way_down_before_the_smoothed_value_is() -> None:
    """√½·0.8 = 0.566: one raw value below it is no breach, but no state to return to either."""
    rule = drop(smoothing=0.9)
    seen = []
    for value in (0.8, 0.6, 0.5, 0.6):
        assert rule.check(1, {"reward/mean": value}) is None
        seen.append(rule.suspicious)
    assert seen == [False, False, True, False]
    entropy = floor(smoothing=0.9)
    assert run(entropy, policy__entropy=[0.6, 0.6, 0.18]) == []  # √0.1·0.6 = 0.19
    assert entropy.suspicious
    assert run(entropy, policy__entropy=[0.2]) == []
    assert not entropy.suspicious


def band() -> LengthBand:
    return LengthBand(**SOME, metric="response/length", shortest=0.5, longest=3.0, warmup=2, smoothing=0.0)


def test_length_explodes_or_shrinks() -> None:
    falling = [0.5, 0.5, 0.4, 0.3, 0.2]
    exploded = run(band(), response__length=[10.0, 14.0, 30.0, 36.0, 37.0], accuracy__fresh=falling)
    assert [(f.step, f.value, f.threshold) for f in exploded] == [(5, 37.0, 36.0)]
    assert "exploded" in exploded[0].message
    shrunk = run(band(), response__length=[10.0, 14.0, 8.0, 6.0, 5.0], accuracy__fresh=falling)
    assert [(f.step, f.threshold) for f in shrunk] == [(5, 6.0)]
    assert "shrunk" in shrunk[0].message


def test_longer_or_shorter_responses_that_pay_are_healthy() -> None:
    rising = [0.3, 0.3, 0.4, 0.5, 0.6]
    assert run(band(), response__length=[10.0, 10.0, 40.0, 90.0, 200.0], accuracy__fresh=rising) == []
    assert run(band(), response__length=[100.0, 100.0, 40.0, 20.0, 10.0], accuracy__fresh=rising) == []


def test_truncation_needs_a_rise() -> None:
    def rule() -> Truncation:
        return Truncation(**SOME, metric="response/truncated", limit=0.5, rise=0.25, warmup=1)

    found = run(rule(), response__truncated=[0.1, 0.3, 0.5, 0.6])
    assert [(f.step, f.threshold) for f in found] == [(4, 0.5)]
    assert run(rule(), response__truncated=[0.6, 0.8, 0.84]) == []
    assert run(rule(), response__truncated=[0.6, 0.86])[0].threshold == pytest.approx(0.85)


def test_zero_advantage_dead_is_not_solved() -> None:
    def rule() -> ZeroAdvantage:
        return ZeroAdvantage(severity="warning", patience=2, metric="group/zero_advantage", share=0.99, solved=0.9)

    ones = [0.5, 1.0, 1.0, 1.0]
    dead = run(rule(), group__zero_advantage=ones, accuracy__fresh=[0.1, 0.0, 0.0, 0.0])
    assert [f.step for f in dead] == [3, 4]
    assert "all groups have equal rewards" in dead[0].message
    assert run(rule(), group__zero_advantage=ones, accuracy__fresh=[0.9, 1.0, 1.0, 1.0]) == []
    assert run(rule(), group__zero_advantage=[0.9] * 4, accuracy__fresh=[0.05] * 4) == []


def test_nonfinite_sees_values_and_skipped_updates() -> None:
    def rule(patience: int) -> NonFinite:
        prefixes, counter = ["loss/", "gradient/"], "optimizer/skipped"
        return NonFinite(severity="collapse", patience=patience, prefixes=prefixes, counter=counter)

    found = run(rule(1), loss__policy=[0.1, NAN, 0.1, 0.1], gradient__norm=[1.0, 1.0, INF, 1.0])
    assert [(f.step, f.metric) for f in found] == [(2, "loss/policy"), (3, "gradient/norm")]
    skipped = run(rule(3), optimizer__skipped=[1.0, 2.0, 0.0, 1.0, 1.0, 16.0])
    assert [(f.step, f.value) for f in skipped] == [(6, 16.0)]
    assert run(rule(1), policy__tv=[NAN], time__step=[INF]) == []


def blow_up() -> GradientBlowUp:
    return GradientBlowUp(**SOME, metric="gradient/norm", factor=20.0, window=4, warmup=3)


def test_gradient_blows_up_against_its_running_median() -> None:
    assert run(blow_up(), gradient__norm=[1.0, 3.0, 2.0, 39.0, 41.0, 2.0]) == []  # 20 · median(1, 2, 3, 39) = 50
    found = run(blow_up(), gradient__norm=[1.0, 3.0, 2.0, 2.0, 41.0, 2.0])
    assert [(f.step, f.value, f.threshold) for f in found] == [(5, 41.0, 40.0)]


def test_gradient_may_grow_slowly() -> None:
    assert run(blow_up(), gradient__norm=[1.5**k for k in range(40)]) == []


def test_an_ordinary_gradient_on_a_solved_task_is_no_blow_up() -> None:
    """Most batches have no contrast left (norm 0 or nearly), one has: as large as in the first steps."""
    assert run(blow_up(), gradient__norm=[1.0] * 4 + [0.0, 1e-4] * 20 + [1.0]) == []


RULES = [
    (floor(smoothing=0.5, share=0.5), {"policy__entropy": [0.6, 0.6, 0.5, 0.01, 0.01, 0.01, 0.01]}),
    (drop(smoothing=0.5), {"reward__mean": [0.6, 0.7, 0.6, 0.1, 0.1, 0.1, 0.1]}),
    (band(), {"response__length": [9.0, 9, 9, 99, 99, 99, 99], "accuracy__fresh": [0.5] * 7}),
    (blow_up(), {"gradient__norm": [1.0, 2.0, 2.0, 1.0, 1.5, 1.5, 90.0]}),
    (
        Truncation(severity="collapse", patience=3, metric="response/truncated", limit=0.5, rise=0.1, warmup=2),
        {"response__truncated": [0.0, 0.1, 0.9, 0.9, 0.9, 0.9, 0.9]},
    ),
]


@pytest.mark.parametrize(("rule", "series"), RULES, ids=[type(rule).__name__ for rule, _ in RULES])
@pytest.mark.parametrize("cut", range(1, 7))
def test_state_is_plain_and_complete(rule: CollapseRule, series: dict[str, list[float]], cut: int) -> None:
    """Stopped anywhere and resumed through JSON, a rule fires as if nothing had happened."""
    names = [name.replace("__", "/") for name in series]
    steps = [dict(zip(names, values)) for values in zip(*series.values())]
    fresh = rule.state_dict()
    whole = [rule.check(k, metrics) for k, metrics in enumerate(steps)]
    assert any(whole)
    rule.load_state_dict(fresh)
    for k in range(cut):
        rule.check(k, steps[k])
    saved = json.loads(json.dumps(rule.state_dict(), allow_nan=False))
    rule.load_state_dict(fresh)
    rule.load_state_dict(saved)
    assert [rule.check(k, steps[k]) for k in range(cut, len(steps))] == whole[cut:]
    rule.load_state_dict(fresh)

"""Weights of a reward's terms that follow a run: what they read, what they remember."""

from __future__ import annotations

import pytest
import torch

from tvo_cli.training.reward_terms.gradient_weighting import GradientWeighting
from tvo_cli.training.reward_terms.hypervolume_weighting import HypervolumeWeighting
from tvo_cli.types import Advantage

TWO = torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)


def by_hypervolume(second: float = 1.0) -> HypervolumeWeighting:
    return HypervolumeWeighting({"correct": 1.0, "length": second}, base=0.5, scale=1.5)


def by_gradient(every: int = 1, **weights: float) -> GradientWeighting:
    return GradientWeighting(weights or {"a": 1.0, "b": 1.0}, rate=0.1, every=every, normalise=False, floor=1e-3)


def test_the_first_evaluation_is_the_reference_and_later_ones_count_by_what_they_add() -> None:
    weighting = by_hypervolume()
    factors = []
    for step, (correct, length) in enumerate([(0.0, 0.0), (0.5, 0.4), (0.2, 0.2)]):
        weighting.read_evaluation({"correct": correct, "length": length}, step)
        factors.append(weighting.factor)
    assert factors == pytest.approx([1.0, 0.796, 0.5], abs=5e-4)
    assert weighting.points == [[0.0, 0.0], [0.5, 0.4]], "what adds nothing is not kept"


def test_a_term_of_negative_weight_is_to_be_made_small() -> None:
    weighting = by_hypervolume(second=-0.1)
    weighting.read_evaluation({"correct": 0.0, "length": 0.9}, 0)
    found = weighting.read_evaluation({"correct": 0.5, "length": 0.5}, 1)
    assert found == {"eval/hypervolume": pytest.approx(0.2)} and weighting.factor == pytest.approx(0.796, abs=5e-4)


def test_an_evaluation_that_a_resume_makes_again_counts_once() -> None:
    weighting = by_hypervolume()
    for _ in range(2):
        weighting.read_evaluation({"correct": 0.1, "length": 0.1}, 0)
    assert weighting.factor == 1.0


def test_an_evaluation_without_a_value_of_a_term_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    weighting = by_hypervolume()
    assert weighting.read_evaluation({"correct": 0.1}, 0) == {}
    assert "no held-out response has a value of length" in caplog.text


def test_advantages_are_multiplied_and_stay_in_units_of_reward() -> None:
    weighting = by_hypervolume()
    advantage = Advantage(torch.tensor([[1.0, -2.0]]), scale=3.0)
    assert weighting.scaled(advantage) is advantage, "M = 1 before a second evaluation"
    weighting.factor = 0.5
    assert weighting.scaled(advantage).values.tolist() == [[0.5, -1.0]] and weighting.scaled(advantage).scale == 3.0


def test_the_weights_keep_their_sum_and_begin_at_the_configs() -> None:
    weighting = by_gradient(a=1.0, b=0.2)
    assert weighting.current == pytest.approx({"a": 1.0, "b": 0.2}, abs=1e-15)
    equal = by_gradient()
    equal.read_gradients(TWO)
    assert equal.current == pytest.approx({"a": 2 * 0.4750, "b": 2 * 0.5250}, abs=1e-4)
    assert equal.metrics() == {f"reward/{name}/weight": weight for name, weight in equal.current.items()}


def test_influences_are_averaged_over_as_many_steps_as_asked() -> None:
    averaged, at_once = by_gradient(every=2), by_gradient()
    averaged.read_gradients(TWO)
    assert averaged.shares == [0.5, 0.5]
    averaged.read_gradients(TWO)
    at_once.read_gradients(TWO)
    assert averaged.shares == at_once.shares and averaged.summed == []


def test_a_gradient_that_is_not_finite_moves_no_weight() -> None:
    weighting = by_gradient()
    weighting.read_gradients(torch.tensor([[float("nan"), 0.0], [1.0, 1.0]]))
    assert weighting.shares == [0.5, 0.5]


def test_both_go_on_from_what_they_saved() -> None:
    hyper, fresh = by_hypervolume(), by_hypervolume()
    for step, value in enumerate([0.1, 0.4]):
        hyper.read_evaluation({"correct": value, "length": value}, step)
    fresh.load_state_dict(hyper.state_dict())
    assert fresh == hyper
    gradient, anew = by_gradient(every=2), by_gradient(every=2)
    for _ in range(3):
        gradient.read_gradients(TWO)
    anew.load_state_dict(gradient.state_dict())
    assert anew == gradient

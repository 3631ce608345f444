"""Terms of a reward weighed by windows of their losses: which losses, from when on, and resumed to the bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.training.conftest import Checksum, MetricRows, Runs, trained_policy
from tvo_cli.maths.loss_balancing import LossWindows
from tvo_cli.training.reward_terms.window_weighting import WindowWeighting

CODE = """
def brevity(responses):
    return [12 / (12 + text.count("2")) for text in responses]
"""


def weighting(window: int = 2, temperature: float = 5.0, **weights: float) -> WindowWeighting:
    return WindowWeighting(weights, LossWindows(window, temperature))


def test_the_weights_are_those_of_the_specification() -> None:
    """Means .8, .8, .9, .9 and .3, .1, .36, .04: losses .2, .2, .1, .1 and .7, .9, .64, .96, so λ = .9401, 1.0599."""
    made = weighting(correct=1.0, brief=0.5)
    for correct, brief in [(0.8, 0.3), (0.8, 0.1), (0.9, 0.36)]:
        made.take_means({"correct": correct, "brief": brief})
    assert made.windows.weights == {"correct": 1.0, "brief": 1.0}, "three batches are no two windows"
    made.take_means({"correct": 0.9, "brief": 0.04})
    assert made.windows.weights == pytest.approx({"correct": 0.9401, "brief": 1.0599}, abs=5e-5)


def test_a_term_that_is_to_be_made_small_and_the_overlong_one_are_losses_themselves() -> None:
    made = weighting(correct=1.0, length=0.2, repeats=-0.1)
    made.take_means({"correct": 0.75, "length": -0.25, "repeats": 0.5})
    assert made.windows.losses == {"correct": [0.25], "length": [0.25], "repeats": [0.5]}


def test_a_term_without_an_opinion_stays_and_one_above_one_is_said_to_be_solved(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = weighting(correct=1.0, words=0.1)
    made.take_means({"correct": 0.5})
    assert made.windows.losses == {"correct": [0.5]}
    made.take_means({"correct": 0.5, "words": 30.0})
    made.take_means({"correct": 0.5, "words": 30.0})
    assert caplog.text.count("words has the mean 30: it counts as solved") == 1


def test_it_goes_on_from_what_it_saved() -> None:
    made, twin = weighting(correct=1.0, brief=0.5), weighting(correct=1.0, brief=0.5)
    made.take_means({"correct": 0.5, "brief": 0.25})
    made.used = {"correct": 0.9, "brief": 0.6}
    twin.load_state_dict(made.state_dict())
    assert twin == made and made.metrics() == {"reward/correct/weight": 0.9, "reward/brief/weight": 0.6}


@pytest.fixture(scope="module")
def brevity(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("own") / "mine.py"
    path.write_text(CODE)
    return f"reward.functions=[{{call: {path}:brevity, weight: 0.5}}]"


SHORT = ("algorithm=grpo", "reward.isolated=false", "rollout.epochs=1", "trainer.steps=4")
RECAP = ("reward.weighting=recap", "reward.recap.window=1")


@pytest.mark.slow
def test_rewards_move_with_the_weights_and_a_stop_changes_nothing(
    run: Runs,
    in_pieces: Callable[..., tuple[Path, int]],
    weights: Checksum,
    steps: MetricRows,
    brevity: str,
) -> None:
    words = (*SHORT, *RECAP, "reward.recap.temperature=0.2", brevity)
    whole, (cut, stops) = run("whole", *words), in_pieces("cut", *words, most=9)
    told = [(row["reward/correct/weight"], row["reward/brevity/weight"]) for row in steps(whole)]
    assert told[:2] == [(1.0, 0.5), (1.0, 0.5)] and told[2] != (1.0, 0.5), "two batches before the third"
    assert all(one + 2 * other == pytest.approx(2.0) for one, other in told), "λ sums to the number of terms"
    assert stops >= 6 and steps(cut) == steps(whole) and weights(cut, 4) == weights(whole, 4)


@pytest.mark.slow
def test_at_an_infinite_temperature_the_weights_of_the_config_stay_bit_for_bit(run: Runs, brevity: str) -> None:
    still = run("still", *SHORT, *RECAP, "reward.recap.temperature=inf", brevity)
    fixed, moved = run("fixed", *SHORT, brevity), run("moved", *SHORT, *RECAP, "reward.recap.temperature=0.2", brevity)
    mine, its, others = (trained_policy(folder, 4) for folder in (still, fixed, moved))
    assert all(torch.equal(mine[name], its[name]) for name in its)
    assert any(not torch.equal(others[name], its[name]) for name in its)

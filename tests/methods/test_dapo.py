"""DAPO: clip-higher with the token mean on F0, the dual clip, overlong shaping; sampling is tested in rollout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.methods.conftest import Result
from tvo_cli import config
from tvo_cli.maths.surrogates import clipped_surrogate, dual_clipped_surrogate
from tvo_cli.reward.reward_terms import Rewards, overlong_penalty
from tvo_cli.types import Verdict

OBJECTIVE = "algorithm.objective"
NEUTRAL = {
    "dapo": (
        "grpo",
        [
            f"{OBJECTIVE}.surrogate.high=0.2",
            f"{OBJECTIVE}.surrogate.dual=inf",
            f"{OBJECTIVE}.reduce._target_=tvo_cli.objective.reduction.sequence_mean",
        ],
    ),
}
GRADIENT = [[-0.082596, 0, -0.058204], [0, 0.08683, 0], [0.078567, 0.095962, 0.071091], [-0.080154, 0, 0]]


def test_on_f0(on_f0: Callable[..., Result], assert_near: Callable[..., None]) -> None:
    found = on_f0("dapo")
    assert found.loss == pytest.approx(0.073784, abs=1e-6)
    assert_near(found.gradient, GRADIENT)


def test_the_dual_clip_lets_go_of_a_bad_token_that_has_become_likely() -> None:
    ratio = torch.tensor([9.9, 10.1, 10.1, 30.0], requires_grad=True)
    advantage = torch.tensor([-1.0, -1.0, 1.0, -2.0])
    gain = dual_clipped_surrogate(ratio, advantage, low=0.2, high=0.28, dual=10.0)
    assert gain.tolist() == pytest.approx([-9.9, -10.0, 1.28, -20.0])
    assert torch.autograd.grad(gain.sum(), ratio)[0].tolist() == [-1.0, 0.0, 0.0, 0.0]


def test_an_infinite_dual_clip_is_none() -> None:
    ratio, advantage = torch.tensor([0.1, 1.0, 50.0] * 3), torch.tensor([1.0] * 3 + [0.0] * 3 + [-1.0] * 3)
    widths = {"low": 0.2, "high": 0.28}
    assert torch.equal(
        dual_clipped_surrogate(ratio, advantage, **widths, dual=torch.inf),
        clipped_surrogate(ratio, advantage, **widths),
    )


@pytest.mark.parametrize(("length", "penalty"), [(5, 0.0), (12, 0.0), (14, -0.5), (16, -1.0), (17, -1.0)])
def test_overlong_shaping(length: int, penalty: float) -> None:
    assert overlong_penalty(length, 16, 4.0) == penalty


def test_the_algorithm_switches_the_papers_shaping_on_and_the_others_do_not() -> None:
    def node(name: str) -> Any:
        return config.compose([f"algorithm={name}", "logger=none", "rollout.max_tokens=20"]).reward

    shaped = Rewards(node("dapo"))
    assert (shaped.weight, shaped.maximum, shaped.buffer) == (0.5, 20, 4.0)
    right = Verdict(correct=True, extracted="1", reason="equal")
    assert shaped.score([right] * 3, [""] * 3, [16, 18, 20], [True] * 3) == [1.0, 0.75, 0.5]
    assert Rewards(node("grpo")).weight == 0.0
    assert node("forking_tokens").length.weight == 0.5


def test_the_penalty_is_to_right_and_wrong_what_it_is_in_the_recipe() -> None:
    """The recipe's reward is ±1 + penalty; ours, 1/0 + penalty/2, is half of that plus ½: the same z-scores."""
    right, lengths = [1, 1, 0, 0, 1, 0, 1, 1], [10, 18, 12, 20, 20, 15, 17, 19]
    penalty = [0, -0.5, 0, -1, -1, 0, -0.25, -0.75]  # 0 up to 16 of 20, then linear to -1
    rewards = Rewards(config.compose(["algorithm=dapo", "logger=none", "rollout.max_tokens=20"]).reward)
    verdicts = [Verdict(correct=bool(one), extracted="1", reason="equal") for one in right]
    ours = torch.tensor(rewards.score(verdicts, [""] * 8, lengths, [True] * 8), dtype=torch.float64)
    recipe = torch.tensor([2 * one - 1 + less for one, less in zip(right, penalty)], dtype=torch.float64)
    z = [(x - x.mean()) / x.std() for x in (ours, recipe)]
    torch.testing.assert_close(z[0], z[1])

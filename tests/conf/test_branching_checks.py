"""What branches and temperatures of tokens cannot stand beside is refused, in one line that says why."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tvo_cli import config
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.errors import UserError

SERVED = ("rollout=server", "rollout.url=http://127.0.0.1:1")
FORKS = "{_target_: tvo_cli.rollout.EntropyForks, forks: 1, children: 1, candidates: 1, shortest: 0}"
TOKEN_BY_TOKEN = [
    *("algorithm=tvo", "rollout.temperature=0"),
    "+algorithm.token_temperature={_target_: tvo_cli.rollout.TokenTemperature, strength: 0.1, quantile: 0.8}",
]
SECOND = "algorithm.sampling={_target_: tvo_cli.rollout.TemperedBranch, target: 0.5, low: 0.8, high: 1.2, share: 0.1}"


def refusal(*words: str) -> str:
    with pytest.raises(UserError) as caught:
        check_across_keys(config.compose([*words, "output_dir=x", "logger=none"]))
    return str(caught.value)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            ["algorithm=tvo", f"+algorithm.branching={FORKS}", "rollout.temperature=0"],
            ["algorithm.branching=EntropyForks", "every response"],
        ),
        (["algorithm=tvo_one_response", f"+algorithm.branching={FORKS}"], ["samples=1", "one response to each"]),
        (["algorithm=hapo", *SERVED], ["rollout.engine=server", "at one temperature"]),
        *(
            pytest.param(words, parts, marks=pytest.mark.slow)
            for words, parts in (
                (TOKEN_BY_TOKEN, ["token_temperature=TokenTemperature", "greedy"]),
                (["algorithm=ettrl", *SERVED, "rollout.stop=['\n\n']"], ["EntropyForks", "one that a cut divides"]),
                (["algorithm=reinforce_plus", "++" + SECOND], ["estimator=WhitenedReturn", "over all prompts"]),
                (["algorithm=tvo", "++" + SECOND], ["estimator=ShrunkLeaveOneOut", "over all prompts"]),
                (["algorithm=avspo", "++" + SECOND], ["estimator=VirtualSamples", "over all prompts"]),
                (["algorithm=canon_dynamic", "++" + SECOND], ["estimator=ConditionalGroup", "over all prompts"]),
                (["algorithm=ettrl", "++" + SECOND], ["branching=EntropyForks", "once more at another temperature"]),
            )
        ),
    ],
    ids=[
        "greedy branches",
        "one response",
        "served tokens",
        "greedy tokens",
        "served stops",
        "batch scale",
        "batch baseline",
        "batch share",
        "batch schedule",
        "second sampling",
    ],
)
def test_what_would_not_do_what_it_is_for_is_refused(words: Sequence[str], parts: Sequence[str]) -> None:
    told = refusal(*words)
    assert all(part in told for part in parts), told


@pytest.mark.slow
def test_a_critic_is_refused() -> None:
    told = refusal("algorithm=ppo", f"+algorithm.branching={FORKS}")
    assert "algorithm.branching=EntropyForks" in told and "a critic's advantages go from token to token" in told


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cure", "ettrl", "aepo_branching", "hapo"])
def test_as_they_stand_they_are_accepted(name: str) -> None:
    check_across_keys(config.compose([f"algorithm={name}", "output_dir=x", "logger=none"]))


@pytest.mark.slow
def test_branches_of_served_rollouts_are_accepted() -> None:
    check_across_keys(config.compose(["algorithm=cure", *SERVED, "output_dir=x", "logger=none"]))

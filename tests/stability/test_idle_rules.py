"""A rule that cannot fire is said at the start, once, and only where it is on."""

from __future__ import annotations

import pytest

from tvo_cli import config
from tvo_cli.stability import idle_rules

ONE = ("rollout.epochs=1", "rollout.minibatches=1")
GROUPS = ("rollout.prompts=64", "rollout.samples=2")


def notes(*words: str, reference: bool = True) -> list[str]:
    return idle_rules.idle_rule_notes(config.compose([*words, "output_dir=x"]), reference=reference)


@pytest.mark.parametrize("words", [("algorithm=grpo",), ("algorithm=ppo", *ONE)])
def test_with_one_update_a_ceiling_of_movement_cannot_fire(words: tuple[str, ...]) -> None:
    [said] = notes(*words)
    assert "rollout.epochs=1, rollout.minibatches=1" in said and said.endswith("tv_ceiling (policy/tv) cannot fire")
    assert notes(*words, "stability.rules.tv_ceiling=null") == [], "nothing is on that could not act"
    assert notes(*words, "stability=off") == []
    assert notes(*words, "rollout.minibatches=2") == []


def test_a_step_rule_without_movement_is_said() -> None:
    [said] = notes("algorithm=tvo", *ONE, "stability=off")
    assert said.endswith("algorithm.step_rule=Viscosity has nothing to act on")
    assert notes("algorithm=tvo", *GROUPS) == []


def test_without_a_reference_nothing_is_compared_with_it() -> None:
    [said] = notes("algorithm=tvo", *GROUPS, "stability.reference=false", reference=False)
    assert said.startswith("stability.reference=false: kl_ceiling (policy/kl_ref) cannot fire")
    without = ("stability.reference=false", "stability.rules.kl_ceiling=null")
    assert notes("algorithm=tvo", *GROUPS, *without, reference=False) == []


def test_with_one_response_a_prompt_a_rule_on_groups_cannot_fire() -> None:
    [said] = notes("algorithm=tvo_one_response")
    assert said.startswith(
        "with one response a prompt (rollout.samples=1) no group has a spread: answer_floor (answer/"
    )
    assert said.endswith("zero_advantage (group/zero_advantage) cannot fire")
    off = ("stability.rules.answer_floor=null", "stability.rules.zero_advantage=null")
    assert notes("algorithm=tvo_one_response", *off) == []

"""Runs of methods at the settings that switch them off: the weights of their base's run, bit for bit."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.training.conftest import MetricRows, Runs, Whole, largest_difference, trained_policy

pytestmark = pytest.mark.slow
OBJECTIVE, REWARD, ADVANTAGE = "algorithm.objective", "algorithm.reward_shaping", "algorithm.advantage_shaping"
TOKEN_MEAN = f"{OBJECTIVE}.reduce._target_=tvo_cli.objective.reduction.token_mean"
TWO = ("trainer.steps=2", "optimizer.lr=1e-3")


class Neutral(NamedTuple):
    """What switches a method off, what remains then, and where it acts."""

    off: tuple[str, ...]
    base: tuple[str, ...] = ("algorithm=grpo",)
    acting: tuple[str, ...] = ()  # where its own settings would change no bit of so short a run
    words: tuple[str, ...] = ()  # of all three runs


GRPO_OF_TOKENS, DAPO = ("algorithm=grpo", TOKEN_MEAN), ("algorithm=dapo",)
BRANCHES = "algorithm.branching"
METHODS = {
    "scope": Neutral(("algorithm.sampling.share=0",)),
    "epo": Neutral((f"{OBJECTIVE}.penalties.epo.coef=0",)),
    "empg": Neutral(tuple(f"{ADVANTAGE}.empg.{word}" for word in ("scaling=0", "bonus=0", "centre=none"))),
    "clip_b": Neutral((f"{ADVANTAGE}.clip_b.width=inf",), GRPO_OF_TOKENS, (f"{ADVANTAGE}.clip_b.width=0.5",)),
    "clip_v": Neutral((f"{ADVANTAGE}.clip_v.width=inf",), GRPO_OF_TOKENS, (f"{ADVANTAGE}.clip_v.width=0.1",)),
    "hapo": Neutral(
        (
            *(f"{OBJECTIVE}.weight.redistribution=0", f"{OBJECTIVE}.surrogate.widening=0"),
            *("algorithm.token_temperature.strength=0", "~algorithm.estimator.largest"),
            "algorithm.estimator._target_=tvo_cli.advantage.GroupNormalised",
        ),
        DAPO,
    ),
    "canon": Neutral(("algorithm.estimator.between=0.5", f"{OBJECTIVE}.surrogate.high=0.2"), ("algorithm=dr_grpo",)),
    "canon_dynamic": Neutral(("algorithm.estimator.schedule=constant",), ("algorithm=canon",)),
    "avspo": Neutral(
        ("algorithm.estimator.threshold=1", "algorithm.estimator.rate=0", "+algorithm.estimator.unbiased=true")
    ),
    "aepo_agentic": Neutral(
        (f"{OBJECTIVE}.shape.strength=0", *(f"{OBJECTIVE}.surrogate.{word}=inf" for word in ("low", "high", "dual"))),
        ("algorithm=reinforce", TOKEN_MEAN),
    ),
    "aepo_branching": Neutral(
        (f"{BRANCHES}.initial=1",), ("algorithm=aepo_agentic",), (f"{BRANCHES}.threshold=0",), ("rollout.samples=8",)
    ),
    "ettrl": Neutral(
        (f"{BRANCHES}.children=0", f"~{REWARD}.majority_vote", f"{ADVANTAGE}.relative_confidence.strength=0"),
        words=("rollout.samples=4",),
    ),
    "entropy_performance": Neutral((f"{ADVANTAGE}.perplexity.alpha=0", f"{ADVANTAGE}.position.gamma=0"), DAPO),
    "progrpo": Neutral((f"{ADVANTAGE}.progrpo.alpha=0",)),
    "perplexity_shaping": Neutral((f"{ADVANTAGE}.perplexity.alpha=0",), DAPO),
    "position_shaping": Neutral((f"{ADVANTAGE}.position.gamma=0",), DAPO),
    "pear": Neutral((f"{REWARD}.pear.right=inf",)),
    "information_consistency": Neutral((f"{REWARD}.information_consistency.strength=0",)),
    "trust_grpo": Neutral((f"{REWARD}.trust_grpo.strength=0",), GRPO_OF_TOKENS),
    "ares": Neutral(
        (f"{REWARD}.ares.start=0", f"{REWARD}.ares.rate=0"),
        (*DAPO, "reward.length.weight=0", f"{OBJECTIVE}.surrogate.high=0.3", f"{OBJECTIVE}.surrogate.dual=3"),
    ),
    "tw_grpo": Neutral((f"{ADVANTAGE}.tw_grpo.largest=1",), GRPO_OF_TOKENS),
    "light_if": Neutral(
        (
            f"{OBJECTIVE}.penalties.light_if.term.scale=0",
            *(f"{OBJECTIVE}.surrogate.{word}" for word in ("low=0.2", "high=0.2", "dual=inf")),
        ),
        GRPO_OF_TOKENS,
    ),
    "llds": Neutral((f"{OBJECTIVE}.penalties.llds.coef.value=0",), GRPO_OF_TOKENS),
    "tip": Neutral((f"{OBJECTIVE}.weight.share=1",), GRPO_OF_TOKENS),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_that_is_switched_off_trains_its_base(name: str, run: Runs, whole: Whole, steps: MetricRows) -> None:
    off, base, acting, words = METHODS[name]
    words += TWO
    plain, ours = whole(*base, *words), run("off", f"algorithm={name}", *off, *words)
    its = trained_policy(plain, 2)
    assert largest_difference(its, trained_policy(ours, 2)) == 0.0
    assert [row["accuracy/fresh"] for row in steps(plain)] == [row["accuracy/fresh"] for row in steps(ours)]
    assert largest_difference(its, trained_policy(run("acting", f"algorithm={name}", *acting, *words), 2)) > 0.0

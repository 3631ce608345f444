"""The entropy bonus and the controller of its coefficient: force, law of motion, and that a run carries it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tvo_cli import config
from tvo_cli.experiment import train
from tvo_cli.objective.coefficient import EntropyTarget
from tvo_cli.types import Tokens

COEF = "algorithm.objective.penalties.entropy.coef"
NEUTRAL = {
    "grpo_entropy_bonus": ("grpo", [f"{COEF}.value=0"]),
    "grpo_target_entropy": ("grpo", [f"{COEF}.value=0"]),
}
ACTS = {"grpo_target_entropy": [f"{COEF}.value=0.01"]}


def target(**changes: Any) -> EntropyTarget:
    return EntropyTarget(**{"value": 0.0, "target": 0.5, "rate": 0.01, "low": 0.0, "high": 0.01} | changes)


def test_the_bonus_is_minus_c_a_nat_on_every_token(make_tokens: Callable[..., Tokens]) -> None:
    objective = config.build(config.compose(["algorithm=grpo_entropy_bonus", f"{COEF}.value=0.3"]).algorithm.objective)
    tokens = make_tokens()
    tokens = replace(tokens, share=objective.reduce(tokens.mask).double())
    (gradient,) = torch.autograd.grad(objective(tokens).total, tokens.entropy)
    expected = torch.zeros(4, 6, dtype=torch.float64)
    for row, length in enumerate((6, 4, 1, 5)):  # GRPO: a response counts a quarter, its tokens alike
        expected[row, :length] = -0.3 / 4 / length
    torch.testing.assert_close(gradient, expected)


def test_the_controller_by_hand() -> None:
    coef, found = target(), []
    for entropy in (0.8, 0.5, 0.1, 0.4, 0.1, 0.1, 0.9):
        coef.update(entropy)
        found.append(coef.value)
    assert found == pytest.approx([0.0, 0.0, 0.004, 0.005, 0.009, 0.01, 0.006])


def test_without_a_target_it_is_the_first_batchs_entropy_and_is_carried() -> None:
    coef = target(target=None)
    assert coef.state_dict() == {"value": 0.0}
    coef.update(0.7)
    coef.update(0.5)
    twin = target(target=None)
    twin.load_state_dict(coef.state_dict())
    assert twin.target == 0.7 and twin.value == coef.value == pytest.approx(0.002)


def test_a_rate_of_zero_is_a_constant() -> None:
    coef = target(rate=0.0, value=0.007)
    for entropy in (0.0, 5.0):
        coef.update(entropy)
    assert coef.value == 0.007


def test_it_holds_a_policy_at_its_target() -> None:
    """A policy whose entropy is 0.3 + 20·c settles at H* = 0.5 with c = 0.01; one that needs no help gets none."""
    helped, free = target(high=1.0), target(high=1.0)
    for _ in range(200):
        helped.update(0.3 + 20 * helped.value)
        free.update(0.6 + 20 * free.value)
    assert (helped.value, free.value) == (pytest.approx(0.01, rel=1e-6), 0.0)


def test_a_run_moves_the_coefficient_and_its_checkpoint_holds_it(tmp_path: Path) -> None:
    small = ("rollout.prompts=4", "rollout.samples=2", "rollout.epochs=1", "rollout.minibatches=1", "evaluation=off")
    quiet = ("logger=none", "logger.console=off", "trainer.steps=2", "trainer.threads=1", f"output_dir={tmp_path}")
    train(config.compose(["algorithm=grpo_target_entropy", f"{COEF}.target=3.0", f"{COEF}.rate=0.01", *small, *quiet]))
    state = json.loads((tmp_path / "checkpoints" / "step-000002" / "state.json").read_text())
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    moved = sum(0.01 * (3.0 - row["policy/entropy_sampled"]) for row in rows)  # one pass: π is still π_old
    assert state["algorithm"]["objective"]["penalties.entropy"]["value"] == pytest.approx(moved, rel=1e-4)

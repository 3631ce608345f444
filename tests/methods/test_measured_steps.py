"""The rivals of viscosity: a rate that follows the divergence, an inner loop that ends; by hand and in runs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tvo_cli import config
from tvo_cli.experiment import train
from tvo_cli.maths.divergence import binary_total_variation, kl_from_old
from tvo_cli.optim import AdaptiveRate, EarlyStop

# The objective is GRPO's or TVO's; that the step rule is neutral too is tested below.
NEUTRAL: dict[str, tuple[str, list[str]]] = {
    "grpo_kl_adaptive": ("grpo", []),
    "grpo_early_stop": ("grpo", []),
    "grpo_early_stop_kl": ("grpo", []),
    "tvo_cosine": ("tvo", []),
    "tvo_river_valley": ("tvo", []),
}
SMALL = (
    *("logger=none", "logger.console=off", "evaluation=off", "trainer.threads=1", "trainer.steps=2", "recorder=off"),
    *("rollout.prompts=8", "rollout.samples=4", "rollout.epochs=2", "rollout.minibatches=2", "optimizer.lr=3e-4"),
)

Rows = list[dict[str, float]]
Trained = Callable[..., tuple[Rows, dict[str, Tensor]]]


def adaptive(**changes: Any) -> AdaptiveRate:
    fields = {"divergence": kl_from_old, "target": 0.01, "factor": 1.5, "minimum": 0.1, "maximum": 3.0}
    return AdaptiveRate(**{**fields, **changes})


def begin(rule: AdaptiveRate | EarlyStop) -> None:
    rule.begin_batch(torch.zeros(1, 1), torch.ones(1, 1, dtype=torch.bool), 0, 30)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A run, once for each command; its rows and weights."""

    @cache
    def go(algorithm: str, *overrides: str) -> tuple[Rows, dict[str, Tensor]]:
        folder = tmp_path_factory.mktemp(algorithm) / "run"
        train(config.compose([*SMALL, f"algorithm={algorithm}", f"output_dir={folder}", *overrides]))
        rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        return rows, load_file(folder / "checkpoints" / "step-000002" / "policy" / "model.safetensors")

    return go


def test_the_adaptive_rate_by_hand() -> None:
    rule = adaptive()
    begin(rule)
    # 0 at a batch's first step tells nothing; between half and twice the target nothing moves
    seen = [rule.viscosity(d) for d in (0.0, 0.0201, 0.02, 0.005, 0.0049, 0.0, 0.03, 0.03, 0.03, 0.03, 0.03)]
    expected = [1, 1.5, 1.5, 1.5, 1, 1 / 1.5, 1, 1.5, 2.25, 3.0, 3.0]
    assert seen == pytest.approx(expected)
    begin(rule)
    assert rule.viscosity(0.0) == 3.0, "carried over"
    fresh = adaptive()
    begin(fresh)
    assert fresh.viscosity(0.5) == 1.0, "a batch's first step: what is not 0 there is sampler against trainer"
    twin = adaptive()
    twin.load_state_dict(rule.state_dict())
    assert twin.viscosity(0.001) == rule.viscosity(0.001) == pytest.approx(2.0)


def test_the_rate_settles_where_the_divergence_is_within_its_band() -> None:
    rule = adaptive(maximum=1e6)
    for _ in range(60):
        begin(rule)
        rule.viscosity(0.0)
        rule.viscosity(0.5 / rule.current**2)
    assert 0.005 <= 0.5 / rule.current**2 <= 0.02


def test_the_early_stop_by_hand() -> None:
    rule = EarlyStop(binary_total_variation, limit=0.03)
    assert [rule.viscosity(d) for d in (0.0, 0.03, 0.0301, 0.01)] == [1.0, 1.0, math.inf, 1.0]
    rule.raise_viscosity(2.0)
    assert rule.viscosity(0.0) == 2.0


def test_the_kl_is_that_of_the_sampled_tokens() -> None:
    """ρ − 1 − log ρ: ρ = 2 gives 1 − log 2, ρ = ½ gives log 2 − ½."""
    old = torch.tensor([0.25, 0.5], dtype=torch.float64).log()
    new = torch.tensor([0.5, 0.25], dtype=torch.float64).log()
    expected = torch.tensor([1 - math.log(2), math.log(2) - 0.5], dtype=torch.float64)
    torch.testing.assert_close(kl_from_old(new, old), expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "neutral"),
    [
        pytest.param("grpo_kl_adaptive", "algorithm.step_rule.factor=1", marks=pytest.mark.slow),
        ("grpo_early_stop", "algorithm.step_rule.limit=inf"),
        pytest.param("grpo_early_stop_kl", "algorithm.step_rule.limit=inf", marks=pytest.mark.slow),
    ],
)
def test_a_neutral_run_is_grpos_bit_for_bit_and_another_is_not(run: Trained, name: str, neutral: str) -> None:
    plain, inert = run("grpo")[1], run(name, neutral)[1]
    assert all(torch.equal(value, inert[key]) for key, value in plain.items())
    active = run(name, f"algorithm.step_rule.{'target' if 'adaptive' in name else 'limit'}=1e-4")[1]
    assert any(not torch.equal(value, active[key]) for key, value in plain.items())


@pytest.mark.slow
def test_a_stop_ends_the_batch_and_the_next_batch_begins_anew(run: Trained) -> None:
    rows, _ = run("grpo_early_stop", "algorithm.step_rule.limit=1e-6")
    assert [row["optimizer/steps"] for row in rows] == [1, 1], "D = 0 before the first step, above after it"
    assert all(row["policy/tv"] > 1e-6 for row in rows)
    free, _ = run("grpo_early_stop", "algorithm.step_rule.limit=1")
    assert [row["optimizer/steps"] for row in free] == [4, 4]


@pytest.mark.slow
def test_the_rule_measures_the_divergence_that_its_yaml_names(run: Trained) -> None:
    """At a limit between the two (KL far below TV for small steps) only the TV form stops."""
    tv, _ = run("grpo_early_stop", "algorithm.step_rule.limit=0.004")
    kl, _ = run("grpo_early_stop_kl", "algorithm.step_rule.limit=0.004")
    assert sum(row["optimizer/steps"] for row in tv) < sum(row["optimizer/steps"] for row in kl)


def test_functions_named_in_yaml_are_partials() -> None:
    node = config.compose(["algorithm=grpo_early_stop"]).algorithm.step_rule
    assert isinstance(config.build(node).divergence, partial)

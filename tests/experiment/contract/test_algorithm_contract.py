"""The contract's report: a cause once, the checks that it stops as not run. What its samples show of a shaping."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from tests.methods.conftest import composed
from tvo_cli.advantage import Estimator, GroupNormalised, ReweightedSources, shaped_estimator
from tvo_cli.advantage.shaping import AdvantageShaping
from tvo_cli.errors import UserError
from tvo_cli.experiment.contract import algorithm_contract
from tvo_cli.experiment.contract.algorithm_contract import NOT_RUN, Check, broken_checks
from tvo_cli.types import Advantage, Experience

ADVANTAGES = "advantages are finite, 0 on padding and 0 where rewards are equal"
STATE = "every piece builds, and its state survives a checkpoint"


def raising(error: Exception) -> Callable[[object], None]:
    def run(one: object) -> None:
        raise error

    return run


def test_a_cause_is_told_once_and_another_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [UserError("weight", "mine.py:w", f"RuntimeError: {n} (mine.py, line 7).") for n in (4, 9)]
    other = UserError("weight", "mine.py:w", "RuntimeError: 4 (mine.py, line 8).")
    errors = [*found, other, ValueError("size 3"), ValueError("size 4"), KeyError("a")]
    checks = tuple(Check(str(i), raising(error)) for i, error in enumerate(errors))
    monkeypatch.setattr(algorithm_contract, "CHECKS", checks)
    told = [trouble.startswith(NOT_RUN) for _, trouble in broken_checks({})]
    assert told == [False, True, False, False, True, False]


def lets_padding_count(experience: Experience, advantage: Advantage) -> Advantage:
    return replace(advantage, counted=experience.mask | True)


def counts_by_halves(experience: Experience, advantage: Advantage) -> Advantage:
    return replace(advantage, counted=experience.mask / 2)


def fills_rows_beside_the_batch(experience: Experience, advantage: Advantage) -> Advantage:
    if experience.extra is None:
        return advantage
    return replace(advantage, values=advantage.values + experience.extra[:, None] * 1.0)


class ForgetsItsWindow(ReweightedSources):
    def load_state_dict(self, state: Mapping[str, float]) -> None:
        super().load_state_dict({name: loss for name, loss in state.items() if name.endswith("#0")})


class KeepsOneLoss(ReweightedSources):
    def state_dict(self) -> dict[str, float]:
        return {name: loss for name, loss in super().state_dict().items() if name.endswith("#0")}


class WeighsByNothing(ReweightedSources):
    @property
    def weights(self) -> dict[str, float]:
        return {name: weight if weight == 1.0 else math.inf for name, weight in super().weights.items()}


BROKEN: dict[str, tuple[Callable[[], AdvantageShaping], str, str]] = {
    "padding": (lambda: lets_padding_count, ADVANTAGES, "as sampled: padding counts"),
    "halves": (lambda: counts_by_halves, ADVANTAGES, "as sampled: counted is torch.float32 of [4, 3]"),
    "extra": (lambda: fills_rows_beside_the_batch, ADVANTAGES, "rows beside the batch: padding has an advantage"),
    "windows": (
        lambda: WeighsByNothing(window=1, temperature=5.0),
        *(ADVANTAGES, "after earlier batches, as sampled: an advantage is not finite"),
    ),
    "memory": (lambda: ForgetsItsWindow(window=1, temperature=5.0), STATE, "the estimator's state is lost"),
    "state": (
        lambda: KeepsOneLoss(window=1, temperature=5.0),
        *(STATE, "the estimator estimates otherwise after a checkpoint"),
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_shaping_is_seen_where_it_acts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its settings here are those at which it acts; at the recipe's own it changes nothing of so small a batch."""
    make, sentence, trouble = BROKEN[name]
    node, acting = composed("grpo").algorithm, copy.deepcopy(composed("grpo").algorithm)

    def build(algorithm: object) -> Estimator:
        return shaped_estimator(GroupNormalised(1e-6), {}, {"broken": make()} if algorithm is acting else {})

    monkeypatch.setattr(algorithm_contract, "build_estimator", build)
    told = {one: text for one, text in broken_checks(node, acting) if text}
    assert told == {sentence: trouble}

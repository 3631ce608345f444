from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import cycle, islice
from typing import Any

import pytest
from omegaconf import DictConfig

from tvo_cli import config
from tvo_cli.stability import CollapseWatch
from tvo_cli.stability.collapse_rules import Floor
from tvo_cli.stability.solved_task import is_solved

FOUR_PROMPTS = [1.0, 0.75, 0.97, 0.53, 1.0, 0.78, 0.75, 1.0]  # mean 0.85: some problems of four always fail
LEARNS = [0.3, 0.35, 0.4, 0.5, 0.6]


@cache
def node() -> DictConfig:
    chosen: DictConfig = config.compose([]).stability
    return chosen


def first_collapse(accuracies: Sequence[float], heldout: dict[int, float] | None = None, left: float = 0.01) -> Any:
    """The step at which `entropy_floor` fires on a run whose entropy is at `left` from step 6 on; None: never."""
    watch = CollapseWatch.of(node())
    for step, accuracy in enumerate(accuracies, start=1):
        watch.observe(step, {"policy/entropy": 0.6 if step < 6 else left, "accuracy/fresh": accuracy})
        if step in (heldout or {}):
            watch.observe_evaluation(step, {"eval/pass@1": (heldout or {})[step]})
    found = [one["step"] for one in watch.verdict()["firings"] if one["rule"] == "entropy_floor"]
    return min(found, default=None)


def repeated(values: Sequence[float], steps: int) -> list[float]:
    return list(islice(cycle(values), steps))


@pytest.mark.parametrize("rotated", range(len(FOUR_PROMPTS)))
def test_a_solved_run_with_few_prompts_a_step_is_no_collapse(rotated: int) -> None:
    """The mean of two or three such batches is far below 0.9 again and again; that of eight is within its error."""
    noisy = FOUR_PROMPTS[rotated:] + FOUR_PROMPTS[:rotated]
    assert first_collapse([*LEARNS, 0.7, 0.8, 0.85, *repeated(noisy, 60)]) is None


@pytest.mark.parametrize("batch", [[0.5], [0.47, 0.53, 0.5, 0.55, 0.45], [0.5, 0.75, 0.25, 0.5]])
def test_entropy_that_is_gone_at_an_accuracy_of_a_half_is_a_collapse_as_early_as_ever(batch: list[float]) -> None:
    """0.01 + 0.59·½^j is below a tenth of 0.6 from j = 4, step 9 on; the third such step fires."""
    alone = first_collapse([math.nan] * 40)
    assert alone == 11
    assert first_collapse(repeated(batch, 40)) == alone


def test_a_run_that_holds_what_it_has_learnt_is_no_collapse_and_one_that_loses_it_is() -> None:
    held = [*LEARNS, 0.7, 0.78, *repeated([0.8, 0.83, 0.82, 0.79], 40)]
    assert first_collapse(held) is None
    falls = first_collapse([*held, *repeated([0.6, 0.63, 0.57], 20)])
    assert falls is not None and len(held) < falls <= len(held) + 11  # long before it is down to half of its best


def test_a_fall_of_the_heldout_accuracy_takes_the_excuse_away() -> None:
    held = [*LEARNS, 0.7, 0.78, *repeated([0.8, 0.83, 0.82, 0.79], 40)]
    assert first_collapse(held, {10: 0.8, 30: 0.78}) is None
    assert first_collapse(held, {10: 0.8, 30: 0.4}) == 33  # patience: three steps


def test_a_run_that_still_rises_is_no_collapse_until_it_stands() -> None:
    rises = [0.1 + 0.02 * step for step in range(25)]
    assert first_collapse(rises) is None
    stands = first_collapse([*rises, *[0.6] * 40])
    assert stands is not None and 25 < stands <= 25 + 16 + 3  # two windows without a rise, and patience


def test_no_error_is_so_large_that_three_quarters_are_not_wanted() -> None:
    assert is_solved([0.85, 0.95, 0.8], None, None, 0.9)
    assert not is_solved([0.0, 1.0, 0.0, 1.0], None, None, 0.9)
    assert not is_solved([0.5] * 8, 16, 0.95, 0.9)  # the held-out accuracy was that of earlier weights
    assert not is_solved([], None, None, 0.9) and is_solved([], None, 0.9, 0.9)


def test_a_state_of_version_0_1_has_no_accuracies() -> None:
    rule = Floor(
        severity="collapse", patience=1, metric="m", share=0.1, absolute=0.0, solved=0.9, warmup=1, smoothing=0.5
    )
    rule.follow({"accuracy/fresh": 0.5, "eval/pass@1": 0.4})
    rule.load_state_dict({"streak": 1, "wary": True, "first": [0.6], "smoothed": 0.5, "accuracy": 0.9})
    assert (rule.recent, rule.heldout, rule.smoothed) == ([], None, 0.5)

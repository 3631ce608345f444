"""A call of a user's own function: every value is read by row, every failure has its row or its batch."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tvo_cli.plugins import own_code_loading
from tvo_cli.reward.function_call import CallOutcome, FunctionRequest, call_on_batch, read_returned, read_reward
from tvo_cli.types import Verdict

TEXTS = ["one", "", "three"]


def outcome_of(function: Callable[..., Any], *, reads: str = "reward", every: bool = False) -> CallOutcome:
    """Of a function of three responses."""
    return call_on_batch(function, FunctionRequest({"responses": TEXTS}, {}, 3, 7, reads, every))


@pytest.mark.parametrize(
    ("returned", "values"),
    [
        ([1, 0.5, None], [1.0, 0.5, None]),
        ((True, False, Fraction(1, 4)), [1.0, 0.0, 0.25]),
        (np.array([0.5, 1.0, 2.0], dtype=np.float32), [0.5, 1.0, 2.0]),
        (torch.tensor([0.5, 1.0, 2.0]), [0.5, 1.0, 2.0]),
        ([np.float64(0.5), torch.tensor(1.0), np.bool_(True)], [0.5, 1.0, 1.0]),
    ],
)
def test_numbers_of_any_library_are_rewards(returned: Any, values: list[float | None]) -> None:
    assert outcome_of(lambda responses: returned) == CallOutcome(values)
    assert outcome_of(lambda responses: iter(returned)) == CallOutcome(values)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (math.nan, "is nan"),
        (math.inf, "is inf"),
        (10**400, "is too large for a float"),
        ("0.5", "is str '0.5'; a reward is a number or None"),
        ([0.5], "is list [0.5]; a reward is a number or None"),
        (1j, "is complex 1j; a reward is a number or None"),
        (np.array([1.0, 2.0]), "a row has one value"),
    ],
)
def test_what_is_no_reward_is_named_by_its_row(bad: Any, said: str) -> None:
    outcome = outcome_of(lambda responses: [1.0, bad, 0.0])
    assert outcome.values == [1.0, None, 0.0] and not outcome.failure
    assert [row for row, _ in outcome.faults] == [1] and outcome.faults[0][1].endswith(said)


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ([1.0, 2.0], "returned 2 values for 3 responses"),
        (0.5, "returned float; it must return a list with a value a response"),
        (None, "returned NoneType; it must return a list with a value a response"),
        ({0: 1.0, 1: 1.0, 2: 1.0}, "returned dict; it must return a list with a value a response"),
        (np.float64(1.0), "returned float64; it must return a list with a value a response"),
    ],
)
def test_what_is_no_list_of_as_many_rows_fails_as_a_whole(returned: Any, said: str) -> None:
    assert outcome_of(lambda responses: returned) == CallOutcome([None] * 3, failure=said)


def inverse_length(responses: list[str]) -> list[float]:
    return [len(responses) / len(text) for text in responses]


def test_the_first_row_at_which_it_raises_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Path(__file__).resolve()
    monkeypatch.setattr(own_code_loading, "_files", {here: frozenset({here})})  # as if it had been loaded from here
    (fault,) = outcome_of(inverse_length).faults
    assert fault[0] == 1 and fault[1].startswith("ZeroDivisionError: division by zero (test_function_call.py, line ")


def test_the_rows_at_which_it_does_not_raise_are_one_batch_again() -> None:
    outcome = outcome_of(inverse_length, every=True)
    assert outcome.values == [2 / 3, None, 2 / 5] and [row for row, _ in outcome.faults] == [1]


def test_what_fails_on_the_batch_alone_says_so() -> None:
    def together(responses: list[str]) -> list[float]:
        if len(responses) > 1:
            raise RuntimeError("too many")
        return [1.0]

    assert outcome_of(together).failure.startswith("RuntimeError: too many")
    assert outcome_of(together).failure.endswith("on the whole batch and on no row alone")


def test_a_function_that_raises_at_every_row_or_ends_the_program_has_no_values() -> None:
    def leaves(responses: list[str]) -> list[float]:
        raise SystemExit(3)

    outcome = outcome_of(leaves, every=True)
    assert outcome.values == [None] * 3 and outcome.faults[0][1].startswith("SystemExit: 3")
    assert [row for row, _ in outcome.faults] == [0, 1, 2]


def test_draws_depend_on_the_seed_of_the_call_alone() -> None:
    def draw(responses: list[str]) -> list[float]:
        return [random.random() + np.random.random() + float(torch.rand(())) for _ in responses]

    first = outcome_of(draw).values
    random.random()
    assert outcome_of(draw).values == first


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (True, [True, None, ""]),
        (np.int64(0), [False, None, ""]),
        (1.0, [True, None, ""]),
        (None, None),
        ({"correct": True, "extracted": 5}, [True, "5", ""]),
        (SimpleNamespace(correct=False, reason="late"), [False, None, "late"]),
        (Verdict(True, "4", "equal"), [True, "4", "equal"]),
        (Verdict(False, None, "timeout", failed=True), None),
    ],
)
def test_a_scorer_says_true_false_or_a_verdict(value: Any, read: Any) -> None:
    assert outcome_of(lambda responses: [value] * 3, reads="judgement") == CallOutcome([read] * 3)


@pytest.mark.parametrize("value", [0.5, 2, "right", {"correct": 0.3}])
def test_a_scorer_that_says_anything_else_is_named_by_row(value: Any) -> None:
    outcome = outcome_of(lambda responses: [True, value, False], reads="judgement")
    assert [row for row, _ in outcome.faults] == [1] and "a scorer says True, False, 1, 0 or None" in outcome.faults[0][
        1
    ]


def test_a_generator_without_end_is_read_no_further_than_the_rows() -> None:
    outcome = read_returned((1.0 for _ in itertools.count()), 3, read_reward)
    assert outcome.failure == "returned more than 3 values for 3 responses"
    assert read_returned(iter([1.0, 2.0]), 3, read_reward).failure == "returned 2 values for 3 responses"

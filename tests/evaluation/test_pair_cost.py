"""The cost of two models that take turns, by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tvo_cli.evaluation.pair_cost import summarise_pair_cost
from tvo_cli.evaluation.responses import GradedResponse

ROW = GradedResponse(
    suite="s",
    id="p",
    decoding="sampled",
    sample=0,
    seed=1,
    level="",
    subject="",
    gold="1",
    prompt="",
    completion="",
    extracted=None,
    correct=False,
    reason="",
    failed=False,
    tokens=10,
    finish="stop",
    seconds=0.0,
)
PAIR = {"parameters_small": 25, "parameters_large": 100}


def test_tokens_weighted_by_parameters() -> None:
    """Of 20 tokens 5 are large: (¼·15 + 5)/20; positions ¼·(19 + 20) + (15 + 0) over 19 + 20."""
    rows = [
        replace(ROW, pair={"large": 5, "read_small": 19, "read_large": 15}),
        replace(ROW, pair={"large": 0, "read_small": 20, "read_large": 0}),
    ]
    found = summarise_pair_cost(rows, PAIR)
    assert (found["large_share"], found["tokens_large"]) == (0.25, 5)
    assert found["cost"] == pytest.approx(8.75 / 20)
    assert found["cost_with_reading"] == pytest.approx((39 / 4 + 15) / 39)


def test_of_nothing_there_is_no_cost() -> None:
    assert math.isnan(summarise_pair_cost([ROW], PAIR)["cost"])

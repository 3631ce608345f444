"""The sums behind the off-policy table: inner products of different seeds, and intervals by the jackknife."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pytest

from benchmarks.harness.record import Row
from benchmarks.off_policy_variance.benchmark import table
from benchmarks.off_policy_variance.cells import ESTIMATORS
from benchmarks.off_policy_variance.statistics import CONTROLS, OF_INTEREST, REFERENCE, SHARPENED, TRUE, Cell, jackknife
from tests.benchmarks.test_second_edition import Readings
from tvo_cli.stats import mean_interval

FIELDS = {"stage": 0, "direction": "tvo", "displacement": 0.03, "moved": 0.03, "scale": 2.0, "beta": 0.5, "reward": 0.4}


def rows_of(means: Mapping[str, list[list[float]]], traces: Mapping[str, float]) -> list[Row]:
    """A cell of estimators whose mean gradients, seed by seed, are given."""
    named = [(name, seed, mean) for name, seeds in means.items() for seed, mean in enumerate(seeds)]
    vectors = np.array([mean for _, _, mean in named])
    products = [list(vectors[: place + 1] @ vectors[place]) for place in range(len(vectors))]
    return [
        FIELDS | {"estimator": name, "seed": seed, "trace": traces.get(name, 1.0), "products": found}
        for (name, seed, _), found in zip(named, products, strict=True)
    ]


def test_a_square_is_of_pairs_of_different_seeds_so_that_noise_does_not_enter() -> None:
    cell = Cell.of(rows_of({"clip": [[1.0, 0.0], [3.0, 2.0], [5.0, -2.0]]}, {}))
    pairs = 2 * (3.0 + 5.0 + (15.0 - 4.0)) / 6
    assert cell.inner({"clip": 1.0}, {"clip": 1.0}) == pytest.approx(pairs)
    one, two = ([[1.0], [3.0], [5.0]], [[10.0], [0.0], [0.0]])
    pair = Cell.of(rows_of({"clip": one, "grpo": two}, {}))
    assert pair.inner({"clip": 1.0}, {"grpo": 1.0}) == pytest.approx(10.0 * (3.0 + 5.0) / 6)
    assert pair.inner({"clip": 1.0, "grpo": -1.0}, {"clip": 1.0, "grpo": -1.0}) == pytest.approx(
        2 * (-9.0 * 3.0 - 9.0 * 5.0 + 3.0 * 5.0) / 6
    )


def test_projection_bias_and_normalised_variance_by_hand() -> None:
    cell = Cell.of(rows_of({TRUE: [[2.0, 0.0]] * 3, REFERENCE: [[1.0, 1.0]] * 3}, {REFERENCE: 8.0}))
    assert (cell.projection(REFERENCE), cell.bias(REFERENCE)) == (0.5, pytest.approx((1.0 + 1.0) / 4.0))
    assert cell.across(REFERENCE) == pytest.approx(0.25), "1 of 4 lies across, and (1 − ½)² along"
    assert cell.normalised(REFERENCE) == pytest.approx(8.0 / (0.25 * 4.0))


def test_what_a_control_variate_adds_is_read_along_the_gradient_and_along_the_sharpening() -> None:
    clip, sharp = np.array([1.0, 0.0, 0.0]), np.array([0.0, 2.0, 0.0])
    means = {TRUE: clip, "clip": clip, "clip, consistent": clip, "clip, consistent, sharpened": clip + sharp}
    means["clip, control"] = clip + 0.25 * sharp + [0.1, 0.0, 0.5]
    cell = Cell.of(rows_of({name: [list(mean)] * 3 for name, mean in means.items()}, {}))
    names = ("clip, control", "clip")
    assert cell.sharpening(*names) == pytest.approx(0.25) and cell.added_along(*names) == pytest.approx(0.1)
    assert cell.added(*names) == pytest.approx(0.01 + 0.25 + 0.25)
    assert cell.share_of_sharpening(*names) == pytest.approx(0.25 / 0.51)


def test_the_jackknife_of_a_mean_is_its_t_interval() -> None:
    values = [1.0, 4.0, 2.0, 9.0]
    cell = Cell.of([row | {"trace": x} for row, x in zip(rows_of({REFERENCE: [[1.0]] * 4}, {}), values, strict=True)])
    found, known = jackknife(cell, lambda one: one.mean("trace", REFERENCE)), mean_interval(values)
    assert found == pytest.approx((known.mean, known.low, known.high))


def test_every_estimator_that_is_read_is_measured() -> None:
    assert next(iter(ESTIMATORS)) == REFERENCE and {*OF_INTEREST, *SHARPENED} <= ESTIMATORS.keys()
    assert {*CONTROLS, *CONTROLS.values()} <= set(OF_INTEREST)


def test_the_table_has_a_column_a_displacement_and_ratios_to_grpo() -> None:
    means = {name: [[1.0, 0.1], [1.0, 0.2], [1.0, 0.3]] for name in ESTIMATORS} | {TRUE: [[1.0, 0.0]] * 3}
    means["clip, consistent, sharpened"] = [[1.0, 1.0]] * 3
    rows = rows_of(means, {REFERENCE: 4.0})
    near = [row | {"displacement": 0.0} for row in rows]
    text = table(cast(Any, Readings([*rows, *near])))
    assert {line.count("|") for line in text.splitlines() if line.startswith("| stage")} == {6, 9, 11}
    assert "| stage | direction | estimator | d = 0 | d = 0.03 |" in text
    assert "| 0 | tvo | clip | 0.25 [0.25, 0.25] | 0.25 [0.25, 0.25] |" in text and "| grpo | 1 | 1 |" in text
    assert math.isclose(float(text.split("| 0 | tvo | 0 | 0.0300 | 2.00 | 0.400 | ")[1].split(" ")[0]), 1.0)


def test_a_ratio_whose_projection_may_be_0_is_not_shown() -> None:
    means = {name: [[1.0, 0.1], [1.0, 0.2], [1.0, 0.3]] for name in ESTIMATORS} | {TRUE: [[1.0, 0.0]] * 3}
    means |= {"clip, consistent, sharpened": [[1.0, 1.0]] * 3, "clip": [[1.0, 0.1], [-1.0, 0.2], [1.0, 0.3]]}
    text = table(cast(Any, Readings(rows_of(means, {}))))
    assert "| 0 | tvo | clip | – |" in text and "| clip, control | 0.50 | – |" in text
    assert "| 0 | tvo | mobility | 1.00 [1.00, 1.00] |" in text

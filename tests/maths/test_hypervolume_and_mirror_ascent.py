"""Weights that follow a run: the numbers of arXiv:2509.11452's arithmetic, worked by hand, and volumes counted."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from tvo_cli.maths.hypervolume_and_mirror_ascent import hypervolume, influences, meta_factor, mirror_ascent

HALVES = torch.tensor([0.5, 0.5], dtype=torch.float64)
TWO = torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)


def test_influence_is_the_product_with_the_sum_of_all_gradients() -> None:
    assert influences(TWO, normalise=False).tolist() == [2.0, 3.0]


def test_gradients_of_norm_one_count_alike_and_one_of_norm_zero_counts_nothing() -> None:
    found = influences(torch.tensor([[100.0, 0.0], [0.0, 1e-3], [0.0, 0.0]]), normalise=True)
    assert found.tolist() == [1.0, 1.0, 0.0]


def test_mirror_ascent_by_the_numbers_of_the_method() -> None:
    moved = mirror_ascent(HALVES, influences(TWO, normalise=False), rate=0.1, floor=1e-3)
    assert moved.tolist() == pytest.approx([1 / (1 + math.exp(0.1)), 1 / (1 + math.exp(-0.1))], abs=1e-12)
    assert moved.tolist() == pytest.approx([0.4750, 0.5250], abs=5e-5)


def test_orthogonal_gradients_of_equal_norm_leave_the_weights() -> None:
    orthogonal = 3.0 * torch.eye(2, dtype=torch.float64)
    assert torch.equal(mirror_ascent(HALVES, influences(orthogonal, normalise=False), rate=0.1, floor=1e-3), HALVES)


def test_no_weight_falls_below_the_floor_and_their_sum_stays() -> None:
    moved = mirror_ascent(torch.tensor([0.2, 0.3, 0.5]).double(), torch.tensor([0.0, 90.0, 91.0]), rate=1.0, floor=0.05)
    assert moved.sum().item() == pytest.approx(1.0, abs=1e-12)
    assert moved[0].item() == pytest.approx(0.05, abs=1e-12) and moved[1] < moved[2]


def test_the_area_of_one_point_and_its_factor() -> None:
    assert hypervolume([(0.0, 0.0), (0.5, 0.4)], (0.0, 0.0)) == pytest.approx(0.2, abs=1e-12)
    assert meta_factor(0.2, base=0.5, scale=1.5) == pytest.approx(0.796, abs=5e-4)
    assert meta_factor(0.0, base=0.5, scale=1.5) == 0.5


def test_a_dominated_point_adds_nothing() -> None:
    front = [(0.5, 0.4), (0.2, 0.9)]
    assert hypervolume([*front, (0.2, 0.3)], (0.0, 0.0)) == pytest.approx(hypervolume(front, (0.0, 0.0)), abs=1e-12)


def test_a_point_below_the_reference_in_an_objective_adds_nothing() -> None:
    """The authors' released volume of these two is 0.2 − 0.3·0.1: it counts a slice below the reference."""
    assert hypervolume([(0.5, 0.4), (0.8, -0.1)], (0.0, 0.0)) == pytest.approx(0.2, abs=1e-12)
    assert hypervolume([(-0.5, 0.9), (-0.1, -0.1)], (0.0, 0.0)) == 0.0


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_volumes_are_those_of_the_cells_that_some_point_covers(objectives: int) -> None:
    drawn = torch.randint(0, 5, (6, objectives), generator=torch.Generator().manual_seed(objectives)).tolist()
    cells = itertools.product(range(5), repeat=objectives)
    covered = sum(any(all(c < p for c, p in zip(cell, point)) for point in drawn) for cell in cells)
    assert hypervolume(drawn, [0] * objectives) == covered

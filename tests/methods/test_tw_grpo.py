"""TW-GRPO: the divergence of a group's distributions by hand, and its weights (of a model's own: tests/model)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tvo_cli.methods.tw_grpo import tw_grpo
from tvo_cli.model.group_divergence import divergence_from_mean_log
from tvo_cli.types import Advantage, Experience

D = torch.float64
NEUTRAL: dict[str, tuple[str, list[str]]] = {
    "tw_grpo": (
        "grpo",
        [
            "algorithm.objective.reduce._target_=tvo_cli.objective.reduction.sequence_mean",
            "algorithm.advantage_shaping.tw_grpo.largest=1",
        ],
    )
}


@pytest.fixture
def apart(f0_experience: Experience) -> tuple[Experience, Advantage]:
    """F0 whose groups are 0, 2, 4 and 1, 1, 1 apart at their positions."""
    divergence = torch.tensor([[0.0, 2.0, 4.0], [1.0, 1.0, 1.0]], dtype=D)
    values = torch.tensor([0.7, -0.7, -0.7, 0.7], dtype=D)[:, None] * f0_experience.mask
    return replace(f0_experience, group_divergence=divergence), Advantage(values, scale=1.0)


def test_two_distributions_of_two_words_by_hand() -> None:
    """log π ½, ½ and .9, .1: d = ±½ log(.9/.5) and ±½ log(.1/.5), so the mean of e^d − d − 1 is cosh d − 1."""
    law = torch.tensor([[[0.5, 0.5]], [[0.9, 0.1]]], dtype=D)
    d = [float((law[1, 0, v] / law[0, 0, v]).log()) / 2 for v in (0, 1)]
    expected = sum(torch.tensor(x, dtype=D).cosh().item() - 1 for x in d)
    assert divergence_from_mean_log(law.log()).tolist() == pytest.approx([expected])
    same = law[:1].expand(3, 1, 2)
    assert divergence_from_mean_log(same.log()).tolist() == [0.0]
    certain = torch.tensor([[[0.0, -60.0]], [[-60.0, 0.0]]], dtype=D)  # ±30, cut at ±11
    assert divergence_from_mean_log(certain).item() == pytest.approx(
        2 * (torch.tensor(11.0, dtype=D).cosh().item() - 1)
    )


def test_the_largest_divergence_weighs_most(apart: tuple[Experience, Advantage]) -> None:
    found = tw_grpo(*apart, largest=1.7, keep_scale=False).values
    expected = apart[1].values * torch.tensor([[1.0, 1.35, 1.7], [1.0, 1.35, 1.7], [1, 1, 1], [1, 1, 1]], dtype=D)
    torch.testing.assert_close(found, expected)


def test_the_scale_may_be_kept(apart: tuple[Experience, Advantage]) -> None:
    """Nine tokens weigh 1 + 1.35 + 1.7 + 1 + 1.35 + 4 = 10.4."""
    found = tw_grpo(*apart, largest=1.7, keep_scale=True).values
    assert found[0, 2].item() == pytest.approx(0.7 * 1.7 * 9 / 10.4) and found[2, 0].item() == pytest.approx(
        -0.7 * 9 / 10.4
    )


def test_one_as_the_largest_changes_no_bit(apart: tuple[Experience, Advantage]) -> None:
    torch.testing.assert_close(tw_grpo(*apart, largest=1.0, keep_scale=False).values, apart[1].values, rtol=0, atol=0)

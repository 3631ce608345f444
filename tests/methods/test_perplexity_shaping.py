"""Perplexity shaping on the specification's groups: scores, an outlier, and what it leaves."""

from __future__ import annotations

import pytest
import torch

from tvo_cli.methods.perplexity_shaping import perplexity_shaping
from tvo_cli.types import Advantage, Experience

D = torch.float64
NEUTRAL: dict[str, tuple[str, list[str]]] = {
    "perplexity_shaping": ("dapo", ["algorithm.advantage_shaping.perplexity.alpha=0"])
}


def factors(*surprises: float, alpha: float = 0.01) -> list[float]:
    """Of one group whose log perplexities are these, at Â = 1; a second token makes the mean of each."""
    count = len(surprises)
    logp = -torch.tensor([[2 * x, 0.0, 9.0] for x in surprises], dtype=D)
    mask = torch.tensor([[True, True, False]]).expand(count, 3)
    group = torch.zeros(count, dtype=torch.int64)
    experience = Experience(torch.zeros(count, dtype=D), mask, group, group, logp)
    found = perplexity_shaping(experience, Advantage(mask.double(), 1.0), alpha=alpha, low=0.8, high=1.2).values
    assert (found[:, 2] == 0).all()
    return found[:, 0].tolist()


def test_likely_responses_learn_a_little_more() -> None:
    """z = −1.3416, −.4472, .4472, 1.3416."""
    assert factors(0.2, 0.3, 0.4, 0.5) == pytest.approx([1.0134, 1.0045, 0.9955, 0.9866], abs=5e-5)


def test_an_outlier_is_scored_by_the_others_and_held_by_the_clamp() -> None:
    """.20 to .26 by .01 and 1.5: its z is 63.5; the others' statistics do not see it."""
    found = factors(*(0.20 + 0.01 * n for n in range(7)), 1.5)
    assert found[-1] == 0.8 and found[0] == pytest.approx(1 + 0.01 * 1.5, rel=1e-6)


def test_no_strength_and_no_spread_change_no_bit() -> None:
    assert factors(0.2, 0.9, alpha=0.0) == factors(0.4, 0.4) == [1.0, 1.0]


def test_the_other_sign_is_the_papers_ablation() -> None:
    assert factors(0.2, 0.5, alpha=-0.01) == pytest.approx([0.99, 1.01])

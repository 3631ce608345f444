"""Which temperatures a tempered branch may have."""

from __future__ import annotations

import pytest

from tvo_cli.errors import UserError
from tvo_cli.rollout import TemperedBranch


@pytest.mark.parametrize(("share", "prompts", "extra"), [(0.07, 100, 7), (0.14, 50, 7), (0.1, 16, 2), (0.0, 9, 0)])
def test_a_share_of_the_prompts_is_sampled_once_more(share: float, prompts: int, extra: int) -> None:
    """0.07 · 100 is more than 7 in floating point."""
    assert TemperedBranch(target=0.5, low=0.8, high=1.2, share=share).extra_prompts(prompts) == extra


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [(1.2, 0.8, "algorithm.sampling.low=1.2: is above algorithm.sampling.high=0.8"), (0.0, 1.2, "must be above 0")],
    ids=["exchanged", "greedy"],
)
def test_bounds_that_are_no_bounds_are_refused(low: float, high: float, told: str) -> None:
    with pytest.raises(UserError, match=told):
        TemperedBranch(target=0.5, low=low, high=high, share=0.1)

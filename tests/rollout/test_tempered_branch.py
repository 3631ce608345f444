"""Which temperatures a tempered branch may have."""

from __future__ import annotations

import pytest

from tvo_cli.errors import UserError
from tvo_cli.rollout import TemperedBranch


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [(1.2, 0.8, "algorithm.sampling.low=1.2: is above algorithm.sampling.high=0.8"), (0.0, 1.2, "must be above 0")],
    ids=["exchanged", "greedy"],
)
def test_bounds_that_are_no_bounds_are_refused(low: float, high: float, told: str) -> None:
    with pytest.raises(UserError, match=told):
        TemperedBranch(target=0.5, low=low, high=high, share=0.1)

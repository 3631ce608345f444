"""Which block speaks, and for how long."""

from __future__ import annotations

import pytest

from tvo_cli.objective import InternalPolicy


@pytest.mark.parametrize(
    ("depth", "blocks", "expected"), [(1 / 6, 36, 6), (1 / 6, 28, 5), (1 / 6, 2, 1), (27 / 28, 28, 27), (1.0, 2, 2)]
)
def test_the_block_of_a_depth(depth: float, blocks: int, expected: int) -> None:
    assert InternalPolicy(depth, 30).block_of(blocks) == expected


def test_it_lasts_for_so_many_batches() -> None:
    assert [InternalPolicy(0.5, 2).acts_at(step) for step in range(4)] == [True, True, False, False]
    assert not InternalPolicy(0.5, 0).acts_at(0)

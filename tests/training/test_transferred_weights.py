"""Training whose weights go to the server from memory to memory, and every way in which that can go wrong.

By gloo where a GPU has NCCL, and by a mapped file where it has its own memory: tests/stand_in_transport.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.stand_in_server import (
    RELOAD,
    UPDATE,
    Fault,
    StandInServer,
    die_in_the_middle,
    hang,
    partly,
    refuse,
    serving,
    stale,
)
from tests.stand_in_transport import transports_on_a_cpu
from tests.training.conftest import Checksum, MetricRows, Runs
from tests.training.test_served_rollouts import FEW, no_pause as no_pause
from tvo_cli.checkpoint import store
from tvo_cli.errors import UserError

ROUTE = {"nccl": UPDATE, "ipc": RELOAD}


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with serving() as found:
        yield found


@pytest.fixture
def served(run: Runs, server: StandInServer, tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """`served("nccl")` trains in a folder of that name."""

    def go(weights: str, *overrides: str) -> Path:
        words = (*FEW, "rollout=server", f"rollout.url={server.url}", f"rollout.weights={weights}")
        return run(weights, *words, *overrides)

    with transports_on_a_cpu(tmp_path / "shared"):
        yield go


@pytest.mark.parametrize("weights", [pytest.param("disk", marks=pytest.mark.slow), "nccl", "ipc"])
def test_it_is_what_disk_makes_of_it(
    served: Callable[..., Path], server: StandInServer, weights: str, steps: MetricRows
) -> None:
    rows = steps(served(weights))
    assert all(row["policy/mismatch_max"] < 1e-4 for row in rows)
    assert len(server.requests(ROUTE.get(weights, RELOAD))) == 2

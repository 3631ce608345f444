"""A command in several processes: what is refused before they meet, and who says it."""

from __future__ import annotations

import pytest

from tvo_cli.cli.launched_ranks import launch_on_ranks
from tvo_cli.parallel.launched_process import LaunchedProcess


@pytest.mark.parametrize("rank", [0, 3])
def test_that_nobody_says_where_rank_0_is_is_said_by_rank_0_alone(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], rank: int
) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    place = LaunchedProcess(rank, 8, rank, 8, "srun")
    assert launch_on_ranks(place, lambda config, ranks: None, "train", [], program="tvo train") == 2
    said = capfd.readouterr().err.splitlines()
    assert [line[:23] for line in said] == (["tvo: MASTER_ADDR=unset:"] if rank == 0 else [])

"""A command in several processes: what is refused before they meet, and who says it."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist

from tvo_cli.cli import launched_ranks
from tvo_cli.cli.launched_ranks import launch_on_ranks
from tvo_cli.errors import UserError
from tvo_cli.experiment import connect_ranks
from tvo_cli.parallel import process_group
from tvo_cli.parallel.elastic_error_file import VARIABLE
from tvo_cli.parallel.launched_process import LaunchedProcess
from tvo_cli.parallel.process_group import ProcessGroup


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


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_what_all_refuse_is_said_once_by_the_first_that_torchrun_may_end_the_others_for(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path, order: list[int]
) -> None:
    for rank in order:
        (tmp_path / str(rank)).mkdir()
        monkeypatch.setenv(VARIABLE, str(tmp_path / str(rank) / "error.json"))
        assert launched_ranks.refuse_ranks("eval", LaunchedProcess(rank, 2, rank, 2, "torchrun")) == 2
        line = "tvo: torchrun=eval: 2 processes were started, and tvo eval runs in one. Start it without the launcher."
        assert capfd.readouterr().err.splitlines() == ([line] if rank == order[0] else [])
        assert (tmp_path / str(rank) / "error.json").is_file() == (rank == order[0])


@pytest.mark.parametrize("variable", [None, "/elsewhere/error.json", "/no/such/1/error.json"])
def test_where_no_file_can_tell_who_was_first_rank_0_says_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], variable: str | None
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if variable:
        monkeypatch.setenv(VARIABLE, variable)
    for rank in (1, 0):
        launched_ranks.refuse_ranks("eval", LaunchedProcess(rank, 2, rank, 2, "srun"))
        assert len(capfd.readouterr().err.splitlines()) == (rank == 0)


def _refused(config: Any, ranks: Any) -> None:
    raise UserError("reward.functions", "mine.py:f", "is no function.")


@pytest.mark.parametrize("first_speaks", [False, True])
def test_where_rank_0_is_in_a_longer_call_one_of_the_others_says_why_it_ended(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], first_speaks: bool
) -> None:
    """A launcher ends rank 0 some time after another has left: what that one had to say was lost."""
    monkeypatch.setattr(process_group, "LEAVING", timedelta(seconds=0.01))
    monkeypatch.setattr(connect_ranks, "ranks_of_run", lambda group, config: nullcontext())
    store = dist.HashStore()  # type: ignore[attr-defined]
    first, *others = (ProcessGroup(LaunchedProcess(rank, 3, rank, 3, "torchrun"), store) for rank in range(3))
    first.send_config({launched_ranks.CONFIG: {}})
    if first_speaks:
        first.tell_all_is_said()
    assert [launched_ranks._follow(group, _refused) for group in others] == [2, 2]
    line = "tvo: reward.functions=mine.py:f: is no function. (rank 1)"
    assert capfd.readouterr().err.splitlines() == ([] if first_speaks else [line])

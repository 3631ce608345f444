"""torchrun's own summary ends with our line: it reads why a rank has ended from the file that it named for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from tvo_cli.cli.printing import report_failure
from tvo_cli.errors import UserError
from tvo_cli.parallel.elastic_error_file import VARIABLE

REFUSED = UserError("optimizer.lrr", 3, "there is no such key.")


def test_torchruns_summary_names_the_rank_that_was_refused_and_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "0.json"))
    assert report_failure(REFUSED) == 2
    follower = ProcessFailure(local_rank=1, pid=2, exitcode=2, error_file=str(tmp_path / "1.json"))
    follower.timestamp += 1  # it leaves after rank 0 has said so
    first = ProcessFailure(local_rank=0, pid=1, exitcode=2, error_file=str(tmp_path / "0.json"))
    summary = ChildFailedError("tvo_cli", {1: follower, 0: first}).format_msg()
    root = summary.partition("Root Cause")[2]
    assert "rank      : 0" in root and "traceback : tvo: optimizer.lrr=3: there is no such key.\n" in root


def test_without_torchrun_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    assert report_failure(REFUSED) == 2 and not list(tmp_path.iterdir())
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone" / "0.json"))
    assert report_failure(REFUSED) == 2 and not list(tmp_path.iterdir())

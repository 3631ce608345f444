"""What a refused run leaves of its folder, and an error of the folder itself."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tvo_cli.job import failure_description as failure
from tvo_cli.tracking import run_status
from tvo_cli.tracking.run_folder import remove_folder_without_run, remove_refused_run, run_folder_error


def test_a_refused_run_takes_the_logs_of_the_other_ranks_with_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("refused")
    for name in ("config.yaml", "rank-1.log", "rank-12.log", "mine.log"):
        (folder / name).touch()
    remove_refused_run(folder)
    assert [path.name for path in folder.iterdir()] == ["mine.log"]


LEFT = "state.json.tvo-0123abcd.partial"  # by a writer that was killed


def test_what_a_killed_writer_left_does_not_keep_the_folder_of_a_job_that_wrote_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "outputs" / "mine" / "run"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text('{"state": "failed"}')
    (folder / LEFT).write_text('{"sta')
    remove_folder_without_run(folder)
    assert not folder.exists()


def test_a_former_word_is_put_back_though_something_was_left_behind_since(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"state": "done"}')
    with run_status.Heartbeat(tmp_path, "f", "train") as heartbeat:
        (tmp_path / LEFT).write_text('{"sta')
        assert heartbeat.withdraw()
    assert (tmp_path / "state.json").read_text() == '{"state": "done"}'


def test_an_error_of_the_run_folder_without_a_name_does_not_cause_itself() -> None:
    error = OSError(errno.EIO, "Input/output error")
    assert run_folder_error(error) is error
    text, code = failure.describe_failure(error)
    assert code == failure.USER_ERROR and "Input/output error" in text

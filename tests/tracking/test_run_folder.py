"""What a refused run leaves of its folder, and an error of the folder itself."""

from __future__ import annotations

import errno

import pytest

from tvo_cli.job import failure_description as failure
from tvo_cli.tracking.run_folder import remove_refused_run, run_folder_error


def test_a_refused_run_takes_the_logs_of_the_other_ranks_with_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("refused")
    for name in ("config.yaml", "rank-1.log", "rank-12.log", "mine.log"):
        (folder / name).touch()
    remove_refused_run(folder)
    assert [path.name for path in folder.iterdir()] == ["mine.log"]


def test_an_error_of_the_run_folder_without_a_name_does_not_cause_itself() -> None:
    error = OSError(errno.EIO, "Input/output error")
    assert run_folder_error(error) is error
    text, code = failure.describe_failure(error)
    assert code == failure.USER_ERROR and "Input/output error" in text

"""A failure that is printed: of the run folder, where Hydra makes it."""

from __future__ import annotations

import errno

from tvo_cli.cli.launch import launch_folder_error
from tvo_cli.job import failure_description as failure


def test_an_error_of_the_run_folder_without_a_name_does_not_cause_itself() -> None:
    error = OSError(errno.EIO, "Input/output error")
    assert launch_folder_error(error) is error
    text, code = failure.describe_failure(error)
    assert code == failure.USER_ERROR and "Input/output error" in text

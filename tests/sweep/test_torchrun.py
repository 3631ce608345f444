"""Jobs of several processes: which jobs they are, what starts them, what torchrun's exit code stands for."""

from __future__ import annotations

from typing import Any

import pytest

from tvo_cli.errors import UserError
from tvo_cli.sweep.torchrun import command_by_torchrun, exit_code_behind_torchrun, processes_of_job

OTHER = "  rank      : {} (local_rank: {})\n  exitcode  : -15 (pid: 26653)  (SIGTERM)\n  error_file: <N/A>\n"
ROOT = "Root Cause (first observed failure):\n[0]:\n  host      : localhost\n  exitcode  : {} (pid: 26654) \n"
BEGAN = "2026-11-29T12:00:00+00:00"


@pytest.mark.parametrize(
    ("config", "count"),
    [
        ({"parallel": {"strategy": "shard"}}, 4),
        ({"parallel": {"strategy": "replicate"}}, 4),
        ({"parallel": {"strategy": "single"}}, 1),
        ({}, 1),  # tvo eval: one process, which sees all GPUs of its slot
    ],
)
def test_a_job_that_shares_its_training_out_has_a_process_a_gpu(config: dict[str, Any], count: int) -> None:
    assert processes_of_job(config, 4) == count and processes_of_job(config, 1) == 1


@pytest.mark.parametrize(
    ("program", "before", "after"),
    [
        (["python", "-m", "tvo_cli"], ["python"], ["-m", "tvo_cli"]),
        (["nice", "-n", "10", "python", "-u", "mine.py"], ["nice", "-n", "10", "python", "-u"], ["mine.py"]),
    ],
)
def test_torchrun_stands_between_python_and_what_it_runs(
    program: list[str], before: list[str], after: list[str]
) -> None:
    """With the job's own grace: torchrun would end its processes after 30 seconds."""
    options = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--shutdown-timeout=120"]
    assert command_by_torchrun(program, 2, 120.0) == [*before, *options, *after]


@pytest.mark.parametrize("program", [["tvo"], ["mine.py"], ["-m", "tvo_cli"], ["python", "tvo"]])
def test_a_program_that_torchrun_cannot_start_is_refused(program: list[str]) -> None:
    with pytest.raises(UserError, match=r"hydra\.launcher\.program=.*End it so: python, -m, tvo_cli"):
        command_by_torchrun(program, 2, 120.0)


@pytest.mark.parametrize(
    ("code", "first", "found"),
    [(1, "2", 2), (1, "-9", 137), (1, "1", 1), (0, "-9", 0), (124, "2", 124), (137, "2", 137)],
)
def test_the_code_is_that_of_the_process_that_failed_first(code: int, first: str, found: int) -> None:
    """124 and 137 are the supervisor's own word and torchrun's own end."""
    log = OTHER.format(0, 0) + ROOT.format(first)
    assert exit_code_behind_torchrun(code, {}, BEGAN, log) == found
    assert exit_code_behind_torchrun(1, {}, BEGAN, "no report") == 1


@pytest.mark.parametrize("code", [0, 1])
def test_a_run_that_has_saved_says_so_in_its_folder(code: int) -> None:
    """1 where torchrun heard the signal; what an earlier attempt has written tells nothing of this one."""
    saved = {"state": "interrupted", "ended": "2026-11-29T12:00:07+00:00"}
    assert exit_code_behind_torchrun(code, saved, BEGAN, "") == 75
    assert exit_code_behind_torchrun(code, saved | {"ended": "2026-11-29T11:59:59+00:00"}, BEGAN, "") == code
    assert exit_code_behind_torchrun(code, saved | {"state": "finished"}, BEGAN, "") == code

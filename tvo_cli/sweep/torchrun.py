"""Jobs of several processes: the words that start one by torchrun, and the exit code that torchrun hides."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.tracking import run_status

MODULE = "torch.distributed.run"
SAVED, ENDED, FAILED = 75, 0, 1  # torchrun leaves with 0 or 1, whatever its processes left with
ROOT_CAUSE = re.compile(r"^\s*exitcode\s*: (-?\d+) \(pid: \d+\)", re.MULTILINE)  # the last one in torchrun's report


def processes_of_job(config: Mapping[str, Any], gpus_per_job: int) -> int:
    """Return how many processes a job has: one a GPU where its config shares a training out, else one."""
    strategy = str((config.get("parallel") or {}).get("strategy", "single"))
    return 1 if strategy == "single" else gpus_per_job


def command_by_torchrun(program: Sequence[str], processes: int, grace: float) -> list[str]:
    """Return `python -m tvo_cli` (or `python FILE.py`) as started by torchrun in so many processes.

    `grace`: seconds that the processes have to save after a signal; torchrun's own is 30.

    Raises:
        UserError: the program does not end with what Python runs.
    """
    words = list(program)
    begin = len(words) - (2 if words[-2:-1] == ["-m"] else 1)
    if begin < 1 or not (words[begin] == "-m" or words[begin].endswith(".py")):
        problem = "starts a job of several processes, so it must end with what Python runs."
        raise UserError("hydra.launcher.program", words, problem, "End it so: python, -m, tvo_cli")
    options = ["--standalone", f"--nproc-per-node={processes}", f"--shutdown-timeout={round(grace)}"]
    return [*words[:begin], "-m", MODULE, *options, *words[begin:]]


def exit_code_behind_torchrun(code: int, status: Mapping[str, Any], began: str, log: str) -> int:
    """Return the exit code of the processes from torchrun's.

    A run that was stopped and has saved leaves with 0 and says so in `status`, its state.json, which counts where it
    was written since `began` (ISO 8601, UTC). For a failure torchrun's report in the log names the code of the process
    that failed first; a negative one is a signal.
    """
    if code not in (ENDED, FAILED):
        return code
    if status.get("state") == run_status.INTERRUPTED and str(status.get("ended", "")) >= began:
        return SAVED
    found = ROOT_CAUSE.findall(log) if code == FAILED else []
    first = int(found[-1]) if found else code
    return 128 - first if first < 0 else first or code

"""This process among those that torchrun or srun has started, from the environment alone: no torch is imported."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from tvo_cli.errors import UserError

TORCHRUN = {"rank": "RANK", "count": "WORLD_SIZE", "local_rank": "LOCAL_RANK", "local_count": "LOCAL_WORLD_SIZE"}
# srun's own: SLURM_NTASKS is set in the batch script as well, which is one process.
SRUN = {"rank": "SLURM_PROCID", "count": "SLURM_STEP_NUM_TASKS", "local_rank": "SLURM_LOCALID"}

# What only a launcher sets for a process: some clusters give every machine a RANK and WORLD_SIZE, for torchrun to read.
MARKS = {"torchrun": {"LOCAL_RANK", "TORCHELASTIC_RUN_ID"}, "srun": {"SLURM_STEP_NUM_TASKS"}}


@dataclass(frozen=True, slots=True)
class LaunchedProcess:
    """A process and its place among those started together."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0  # on its machine
    local_count: int = 1
    launcher: str = ""  # torchrun, srun; "" where none started it

    @property
    def leads(self) -> bool:
        """Whether it composes the config and writes the run folder: rank 0."""
        return self.rank == 0

    @property
    def program(self) -> str:
        """What stands for `tvo` in the command that starts all of them again."""
        nodes = f"--nnodes {self.count // self.local_count} " if self.count > self.local_count else "--standalone "
        torchrun = f"torchrun {nodes}--nproc-per-node {self.local_count} -m tvo_cli"
        return {"torchrun": torchrun, "srun": "srun tvo"}.get(self.launcher, "tvo")

    @property
    def hides_exit_codes(self) -> bool:
        """Whether the launcher turns every exit code into 1 and ends the other processes at the first that is not 0."""
        return self.launcher == "torchrun" and self.count > 1


def launched_process(environment: Mapping[str, str] = os.environ) -> LaunchedProcess:
    """The place that the environment names; alone where no launcher has started several processes.

    Raises:
        UserError: a variable of a launcher is missing or no number.
    """
    for launcher, names in (("torchrun", TORCHRUN), ("srun", SRUN)):
        if MARKS[launcher] & environment.keys() and _number(environment, names["count"], 1) > 1:
            found = {field: _number(environment, name) for field, name in names.items()}
            return LaunchedProcess(**{"local_count": _tasks_of_node(environment), **found}, launcher=launcher)
    return LaunchedProcess(launcher="torchrun" if "TORCHELASTIC_RUN_ID" in environment else "")


def rendezvous_variables(place: LaunchedProcess, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What torch's env:// rendezvous reads: the place, and where rank 0 is.

    Raises:
        UserError: nobody says where rank 0 is.
    """
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        if not environment.get(name):
            remedy = (
                "Before srun: export MASTER_ADDR=$(scontrol show hostnames $SLURM_JOB_NODELIST | head -n 1) "
                "MASTER_PORT=29500"
            )
            raise UserError(name, "unset", f"{place.count} processes cannot find each other.", remedy)
    return {
        "RANK": str(place.rank),
        "WORLD_SIZE": str(place.count),
        "MASTER_ADDR": environment["MASTER_ADDR"],
        "MASTER_PORT": environment["MASTER_PORT"],
    }


def _number(environment: Mapping[str, str], name: str, missing: int | None = None) -> int:
    """The number that the launcher has set in a variable of the environment."""
    text = environment.get(name)
    if text is None and missing is not None:
        return missing
    if text is None or not text.isdecimal():
        raise UserError(name, text or "unset", "is not the number that a launcher sets.", "Start by torchrun or srun.")
    return int(text)


def _tasks_of_node(environment: Mapping[str, str]) -> int:
    """Tasks on this machine, of srun's "8(x2),4": the largest, for the list does not say which node is which."""
    counts = [part.split("(")[0] for part in environment.get("SLURM_STEP_TASKS_PER_NODE", "1").split(",")]
    return max(int(count) for count in counts if count.isdecimal())

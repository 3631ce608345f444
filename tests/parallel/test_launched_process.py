"""Which process this is, by what torchrun and srun put into the environment."""

from __future__ import annotations

import pytest

from tvo_cli.errors import UserError
from tvo_cli.parallel.launched_process import LaunchedProcess, launched_process, rendezvous_variables

TORCHRUN = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4", "TORCHELASTIC_RUN_ID": "x"}
SRUN = {
    "SLURM_PROCID": "9",
    "SLURM_STEP_NUM_TASKS": "16",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_TASKS_PER_NODE": "8(x2)",
    "SLURM_NTASKS": "16",
}
PLACES = [
    ({}, LaunchedProcess()),
    (TORCHRUN, LaunchedProcess(5, 8, 1, 4, "torchrun")),
    ({**TORCHRUN, "WORLD_SIZE": "1", "RANK": "0"}, LaunchedProcess(launcher="torchrun")),
    (SRUN, LaunchedProcess(9, 16, 1, 8, "srun")),
    ({**SRUN, "SLURM_STEP_TASKS_PER_NODE": "4,8(x2)"}, LaunchedProcess(9, 16, 1, 8, "srun")),
    # a batch script has its job's tasks in the environment, and is one process; so is a step of one task
    ({"SLURM_NTASKS": "16", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}, LaunchedProcess()),
    ({**SRUN, "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}, LaunchedProcess()),
    ({"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "pod-0"}, LaunchedProcess()),  # a machine of a cluster's job
    ({**SRUN, **TORCHRUN}, LaunchedProcess(5, 8, 1, 4, "torchrun")),  # torchrun under srun
]


@pytest.mark.parametrize(("environment", "place"), PLACES, ids=map(str, range(len(PLACES))))
def test_the_place_is_the_launchers(environment: dict[str, str], place: LaunchedProcess) -> None:
    assert launched_process(environment) == place


@pytest.mark.parametrize("missing", ["RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE"])
def test_half_a_launcher_is_refused_by_name(missing: str) -> None:
    with pytest.raises(UserError, match=rf"^{missing}=unset: is not the number that a launcher sets"):
        launched_process({name: value for name, value in TORCHRUN.items() if name != missing})


def test_srun_without_the_address_of_rank_0_says_how_to_give_it() -> None:
    with pytest.raises(UserError, match=r"^MASTER_ADDR=unset: 16 processes cannot find each other\. .*scontrol"):
        rendezvous_variables(launched_process(SRUN), SRUN)


def test_the_rendezvous_is_told_the_place() -> None:
    where = {"MASTER_ADDR": "node1", "MASTER_PORT": "29500"}
    assert rendezvous_variables(launched_process(SRUN), where) == {"RANK": "9", "WORLD_SIZE": "16", **where}


def test_only_torchrun_hides_exit_codes() -> None:
    places = [launched_process(environment) for environment in (TORCHRUN, SRUN, {})]
    assert [place.hides_exit_codes for place in places] == [True, False, False]


def test_the_program_starts_all_of_them_again() -> None:
    programs = [launched_process(environment).program for environment in (TORCHRUN, SRUN, {})]
    assert programs == ["torchrun --nnodes 2 --nproc-per-node 4 -m tvo_cli", "srun tvo", "tvo"]

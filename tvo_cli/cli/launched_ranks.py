"""A command in several processes: rank 0 composes, speaks and writes; the others receive its config and follow it.

Only rank 0 prints. What another rank has to say is in RUN/rank-N.log, and why it ended reaches rank 0 by itself.
"""

from __future__ import annotations

import hashlib
import json
import logging
import signal
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from tvo_cli import config as configuration
from tvo_cli import escaping, standard_streams
from tvo_cli.cli import printing
from tvo_cli.cli.launch import launch
from tvo_cli.config.rank_checks import check_ranks
from tvo_cli.errors import UserError
from tvo_cli.job.failure_description import INTERNAL_ERROR, INTERRUPTED, SAVED, USER_ERROR, describe_failure
from tvo_cli.parallel.elastic_error_file import is_first_to_refuse, write_elastic_error_file
from tvo_cli.parallel.launched_process import LaunchedProcess, rendezvous_variables
from tvo_cli.redaction import without_secrets
from tvo_cli.sweep.supervisor_process import PR_SET_PDEATHSIG, prctl

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from tvo_cli.parallel.process_group import ProcessGroup
    from tvo_cli.parallel.ranks import Ranks

log = logging.getLogger("tvo")
RankTask = Callable[["DictConfig", "Ranks"], Any]
REFUSED, CONFIG = "refused", "config"


def launch_on_ranks(
    place: LaunchedProcess, task: RankTask, root: str, words: Sequence[str], *, program: str, debug: bool = False
) -> int:
    """Run a task on all ranks; return this one's exit code, which is rank 0's where that one has ended well."""
    from tvo_cli.parallel.process_group import ProcessGroup

    try:
        rendezvous_variables(place)
    except UserError as error:  # the same on all
        return printing.report_failure(error) if is_first_to_refuse(place) else USER_ERROR
    if place.launcher == "torchrun":  # killed by -9 it would leave its ranks running
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    group = ProcessGroup.meet(place)
    if not place.leads:
        group.introduce(_facts_of_process(words))
        return _exit_code_of_ranks(place, _follow(group, task))
    code = INTERNAL_ERROR
    try:
        _refuse_sweep(words)
        group.check_same_facts(_facts_of_process(words))
        code = launch(partial(_run_as_first, group, task), root, words, program=program, debug=debug)
    except KeyboardInterrupt:
        code = INTERRUPTED
        raise
    except Exception as error:
        code = printing.report_failure(error, debug=debug)
    finally:
        group.send_config({REFUSED: code}, if_none=True)
        group.tell_all_is_said()
    return _exit_code_of_ranks(place, code)


def refuse_ranks(command: str, place: LaunchedProcess) -> int:
    """Say, once, that a command runs in one process; return the exit code."""
    if is_first_to_refuse(place):
        problem = f"{place.count} processes were started, and tvo {command} runs in one."
        printing.report_failure(UserError(place.launcher, command, problem, "Start it without the launcher."))
    return USER_ERROR


def _refuse_sweep(words: Sequence[str]) -> None:
    if {"-m", "--multirun", "hydra.mode=MULTIRUN"} & set(words):
        problem = "a sweep starts its jobs itself, each in as many processes as it has GPUs."
        raise UserError(
            "option", "-m", problem, "Start it without a launcher: tvo train -m hydra.launcher.gpus_per_job=8 …"
        )


def _run_as_first(group: ProcessGroup, task: RankTask, config: DictConfig) -> Any:
    from tvo_cli.experiment.connect_ranks import ranks_of_run

    check_ranks(config, group.place.count)
    group.send_config({CONFIG: configuration.resolved_tree(config)})
    with ranks_of_run(group, config) as ranks:
        return task(config, ranks)


def _follow(group: ProcessGroup, task: RankTask) -> int:
    """Run what rank 0 has composed; the exit code."""
    from omegaconf import OmegaConf

    from tvo_cli.experiment.connect_ranks import ranks_of_run

    told = group.receive_config()
    if REFUSED in told:
        return int(told[REFUSED])
    config = OmegaConf.create(told[CONFIG])
    try:
        with ranks_of_run(group, config) as ranks:
            task(config, ranks)
        code, said = 0, ""
    except (KeyboardInterrupt, Exception) as error:
        text, code = describe_failure(error)
        log.error("%s\n%s", text, "".join(traceback.format_exception(error)))
        said = f"tvo: {escaping.terminal(without_secrets(text))}"
        write_elastic_error_file(said)
    if not group.wait_until_all_is_said() and said and group.speaks_for_first():  # rank 0 is gone, or in a longer call
        standard_streams.write_to_stderr(f"{said} (rank {group.place.rank})")
    return code


def _facts_of_process(words: Sequence[str]) -> dict[str, str]:
    """What must be the same on all ranks before anything is sent: code, torch and the command line."""
    import torch

    from tvo_cli.experiment.rank_device import code_version

    given = hashlib.sha256(json.dumps(list(words)).encode()).hexdigest()[:12]
    return {"code": code_version(), "torch": torch.__version__, "command line": given}


def _exit_code_of_ranks(place: LaunchedProcess, code: int) -> int:
    """torchrun ends all at the first code that is not 0: that a run was stopped, all saved, state.json alone tells."""
    return 0 if code == SAVED and place.hides_exit_codes else code

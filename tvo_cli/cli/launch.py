"""Launch of a command through @hydra.main: run folders, sweeps, `--cfg job`, and our own errors.

Hydra prints the exceptions of a job itself and leaves with 1. The task therefore never raises: a failure is
reported as one line and remembered, the other jobs of a sweep go on, and the exit code tells at the end.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvo_cli import config as configuration
from tvo_cli import escaping, standard_streams
from tvo_cli.cli import printing
from tvo_cli.cli.startup_message import say_repeated_keys
from tvo_cli.errors import UserError
from tvo_cli.job.run_in_folder import Task, run_in_folder
from tvo_cli.parallel.launched_process import LaunchedProcess, launched_process
from tvo_cli.sweep.folder_names import check_folder_is_named_once
from tvo_cli.sweep.job_fingerprint import begins_anew, fingerprint_of_job
from tvo_cli.sweep.sweep_objective import JobWithoutObjective, value_for_sweeper
from tvo_cli.tracking import run_status
from tvo_cli.tracking.run_folder import remove_folder_without_run, run_folder_error

if TYPE_CHECKING:
    from omegaconf import DictConfig

SHOW_FLAGS = ("--cfg", "-c", "--info", "-i", "--help", "--hydra-help", "--version")


@dataclass
class HydraTask:
    """The task that Hydra calls once a job, and the exit code of each."""

    task: Task
    command: str = ""
    debug: bool = False
    codes: list[int] = field(default_factory=list)
    elsewhere: bool = False  # in a process that a launcher has made: only an exception is heard
    config_dir: str | None = field(default_factory=configuration.given_config_dir)

    def __setstate__(self, found: dict[str, Any]) -> None:
        """Arrived in another process (joblib, submitit, ray), where nothing is registered yet."""
        self.__dict__.update(found, elsewhere=True)
        configuration.use_config_dir(self.config_dir)
        _register_resolvers()

    def __call__(self, config: DictConfig) -> float | None:
        """Run one job in its folder; a failure is said, remembered, and does not stop the other jobs."""
        from hydra.core.hydra_config import HydraConfig

        with standard_streams.guarded_streams():  # again, where a launcher has put the job into a process of its own
            if self.elsewhere:
                standard_streams.treat_stdout_as_view()
            return self._job(config, HydraConfig.get())

    def _job(self, config: DictConfig, hydra: Any) -> float | None:
        config.output_dir = hydra.runtime.output_dir
        sweeps = "MULTIRUN" in str(hydra.mode)
        if sweeps:
            print(escaping.terminal(f"job {hydra.job.num}: {' '.join(hydra.overrides.task)}"), flush=True)
        code = self._attempt(config, hydra, skip=sweeps)
        self.codes.append(code)
        if code and self.elsewhere:
            raise JobWithoutObjective(code)
        return (
            value_for_sweeper(Path(config.output_dir), config.get("sweep_objective")) if sweeps and not code else None
        )

    def _attempt(self, config: DictConfig, hydra: Any, *, skip: bool) -> int:
        """The exit code of one job."""
        folder, overrides = Path(config.output_dir), list(hydra.overrides.task)
        try:
            if self.elsewhere:
                _refuse_several_tasks(launched_process())
            configuration.check_composed_config(config, self.command, overrides, hydra.runtime.config_sources)
            skip = skip and not begins_anew(config)
            if skip and run_status.is_run_finished(folder, fingerprint_of_job(config)):
                print(escaping.terminal(f"already finished: {folder}"), flush=True)
            else:
                run_in_folder(self.task, config, self.command, overrides)
            return 0
        except KeyboardInterrupt:
            remove_folder_without_run(folder)
            raise
        except Exception as error:  # an internal error of one job, shown with its traceback, must not end a sweep
            code = printing.report_failure(error, debug=self.debug)
            remove_folder_without_run(folder)
            if self.elsewhere:
                _pass_signal_to_launcher(getattr(error, "signal", 0))
            return code

    @property
    def code(self) -> int:
        """0 when every job went well, else the code of the first that did not."""
        return next((code for code in self.codes if code), 0)


def _refuse_several_tasks(place: LaunchedProcess) -> None:
    """A job that submitit has started as several tasks would be the same run several times, in one folder."""
    if place.count > 1:
        remedy = "Take 1. Several processes a job: hydra/launcher=process hydra.launcher.gpus_per_job=N."
        raise UserError("hydra.launcher.tasks_per_node", place.count, "a job of this launcher is one process.", remedy)


def _pass_signal_to_launcher(number: int) -> None:
    """After a launched command has saved all, raise the launcher's own signal again: submitit queues the job again."""
    if number == signal.SIGUSR2 and callable(signal.getsignal(number)):
        signal.raise_signal(number)


def _register_resolvers() -> None:
    """Before a command is launched, register every OmegaConf resolver of conf/."""
    from tvo_cli.sweep import folder_names

    configuration.register_resolvers()
    folder_names.register_folder_name_resolvers()


def launch(
    task: Task, root: str, words: Sequence[str], *, program: str, debug: bool = False, result: bool = False
) -> int:
    """Run a task through Hydra with the arguments as they were typed; return the exit code.

    The console is a view of a run, whose loss changes nothing. result: what is printed at the end is asked for as
    well, so the exit code tells when it was lost. Where Hydra only shows a config, the output is all there is.
    """
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    words = configuration.normalised_overrides(words)
    overrides = overrides_of_launch(words)
    say_repeated_keys(program, overrides)
    result = result and not {"-m", "--multirun"} & set(words)  # the lines of a sweep are a view of it
    if not is_launched_to_show(words):
        standard_streams.treat_stdout_as_view(waits=result)
    logging.raiseExceptions = False  # Hydra prints `--info` through logging; a closed pipe is no error of ours
    _register_resolvers()
    jobs = HydraTask(task, root, debug)
    main = hydra.main(config_path=str(configuration.conf_dir()), config_name=root, version_base="1.3")(jobs)
    with (
        configuration.plugins_in_effect(overrides, root),
        _hydra_arguments(program, words),
        _raise_hydra_errors(),
        _remove_folder_of_refused_sweep(),
    ):
        try:
            main()
        except JobWithoutObjective as error:
            return error.code
        except (HydraException, OmegaConfBaseException) as error:
            raise configuration.explain_hydra_error(error, overrides, root) from error
        except OSError as error:  # a job's own are reported by Jobs: this is Hydra making the run folder
            refused = run_folder_error(error)
            raise refused from (None if refused is error else error)
    if result and not jobs.code:
        standard_streams.raise_lost_output()
    return jobs.code


def overrides_of_launch(words: Sequence[str]) -> list[str]:
    """Return the overrides among the arguments of a Hydra command line."""
    from hydra._internal.utils import get_args_parser

    known, others = get_args_parser().parse_known_args(list(words))
    if others:
        remedy = "Settings are written key=value, without dashes: optimizer.lr=1e-4."
        raise UserError("option", others[0], "there is no such option.", remedy)
    if known.multirun and (known.cfg or known.info):
        shown = "--cfg" if known.cfg else "--info"
        remedy = f"Leave out -m, or take --dry-run in place of {shown}: it lists the jobs."
        raise UserError("option", shown, "shows the config of one run, and -m makes many.", remedy)
    if ("output_dir", "") in map(configuration.split_override, known.overrides):  # Hydra takes the working folder
        raise UserError("output_dir", "", "names no folder.", "Name one; for the working folder itself: output_dir=.")
    check_folder_is_named_once(known.overrides, multirun=known.multirun)
    return list(known.overrides)


def keys_given_to_job() -> list[str]:
    """Return the keys and groups that the command line which launched the running job sets, from Hydra."""
    from hydra.core.hydra_config import HydraConfig

    return [configuration.split_override(word)[0] for word in HydraConfig.get().overrides.task]


def is_launched_to_show(words: Sequence[str]) -> bool:
    """Return whether Hydra is launched only to show a text (`--cfg`, `--help`), and for no run."""
    return any(word.partition("=")[0] in SHOW_FLAGS for word in words)


@contextmanager
def _remove_folder_of_refused_sweep() -> Iterator[None]:
    """Remove the folder of a sweep that fails before its first job."""
    from tvo_cli.sweep import refused_sweeps

    try:
        yield
    except BaseException:
        refused_sweeps.remove_refused_sweep_folders()
        raise


@contextmanager
def _hydra_arguments(program: str, words: Sequence[str]) -> Iterator[None]:
    """Set sys.argv, which Hydra reads, to a program and its arguments."""
    before, sys.argv = sys.argv, [program, *words]
    try:
        yield
    finally:
        sys.argv = before


@contextmanager
def _raise_hydra_errors() -> Iterator[None]:
    """Have Hydra raise its errors instead of printing them: HYDRA_FULL_ERROR=1."""
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = before

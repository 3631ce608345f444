"""`hydra/launcher=process`: every job of a sweep in a process of its own.

Hydra imports this module to look for plugins whenever it starts, so it imports nothing but Hydra at its head.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.plugins.launcher import Launcher

if TYPE_CHECKING:
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

    from tvo_cli.sweep.fork_server import ForkServer
    from tvo_cli.sweep.slots import Slot
    from tvo_cli.sweep.sweep_index import SweepIndex, SweepJob

OURS = (
    *("hydra.launcher", "hydra/launcher", "hydra.sweep", "hydra/sweeper", "hydra.mode", "hydra.run"),
    "hydra.job.config.override_dirname",
)


class ProcessLauncher(Launcher):
    """Composes the jobs, leaves out what is done, runs the rest over the slots, and says how it went."""

    def __init__(
        self,
        n_jobs: int | None,
        gpus: Sequence[object] | str | None,
        retries: int,
        timeout: float | None,
        grace: float,
        program: Sequence[str] | None,
        gpus_per_job: int = 1,
        warm_starts: bool | str = "auto",
    ) -> None:
        from tvo_cli.sweep.runner import RunnerSettings

        self._warm_starts = warm_starts
        self._n_jobs, self._gpus, self._program, self._gpus_per_job = n_jobs, gpus, program, gpus_per_job
        self._settings = RunnerSettings(int(retries), None if timeout is None else float(timeout), float(grace))

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Hydra's hook."""
        from hydra_plugins.tvo_launcher.sweep_config_loader import SweepConfigLoader

        self._config, self._loader = config, SweepConfigLoader(hydra_context.config_loader)
        hydra_context.config_loader = self._loader  # the sweeper composes every job too, to check it

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        """Run one batch of the sweeper's jobs; a job that did not end well comes back with an exception."""
        from tvo_cli import redaction
        from tvo_cli.sweep import sweep_summary
        from tvo_cli.sweep.progress_table import ProgressTable
        from tvo_cli.sweep.refused_sweeps import check_folder_holds_no_run, check_sweep_has_jobs
        from tvo_cli.sweep.runner import SweepRunner
        from tvo_cli.sweep.slots import divide_into_slots
        from tvo_cli.sweep.sweep_index import SweepIndex

        setup_globals()
        folder = Path(str(self._config.hydra.sweep.dir)).absolute()
        (folder / "multirun.yaml").unlink(missing_ok=True)  # Hydra's copy of the command shows secrets; ours masks them
        check_folder_holds_no_run(folder)
        check_sweep_has_jobs(job_overrides, list(self._config.hydra.overrides.task))
        composed = self._composed(job_overrides, initial_job_idx, folder)
        index = SweepIndex(folder, shlex.join([*_program(), *redaction.redacted_arguments(sys.argv[1:])]))
        with index.locked():
            jobs = [self._job(index, list(words), one) for words, one in zip(job_overrides, composed, strict=True)]
            mine = list({job.fingerprint: job for job in jobs}.values())
            on_cpu = all(_on_cpu(one) for one in composed)
            slots = divide_into_slots(
                len(mine), self._n_jobs, self._gpus, gpus_per_job=self._gpus_per_job, on_cpu=on_cpu
            )
            warm = self._starts_warm(mine, on_cpu)
            index.save()  # from here on the sweep has a folder: nothing of it is refused as a whole any more
            with ProgressTable(folder, mine, len(slots)) as table:
                table.say(_opening(mine, len(jobs), slots, self._gpus_per_job, warm=warm))
                with _fork_server(folder, slots[0]) if warm else nullcontext() as server:
                    runner = SweepRunner(index, mine, slots, self._settings, table, server)
                    runner.run()
        shown = Path(os.path.relpath(folder))
        print("\n".join(sweep_summary.sweep_summary_lines(shown, mine, asked=len(jobs))), flush=True)
        code = sweep_summary.exit_code_of_sweep(mine, stopped=runner.stopped)
        return [_returned(folder, job, one, code) for job, one in zip(jobs, composed, strict=True)]

    def _composed(self, job_overrides: Sequence[Sequence[str]], first: int, folder: Path) -> list[DictConfig]:
        """Every job's config, checked before any begins; a refused sweep leaves no empty folder."""
        from tvo_cli.errors import UserError

        try:
            return [self._compose(list(words), first + i) for i, words in enumerate(job_overrides)]
        except UserError:
            with suppress(OSError):  # it holds an earlier sweep's jobs
                folder.rmdir()
            raise

    def _compose(self, words: list[str], number: int) -> DictConfig:
        from omegaconf import open_dict

        from tvo_cli import config
        from tvo_cli.config.rank_checks import check_ranks
        from tvo_cli.sweep.torchrun import processes_of_job

        found = self._loader.take_job_config(self._config, words)
        with open_dict(found):
            found.hydra.job.id, found.hydra.job.num = number, number
        if _program()[0] == "tvo":
            config.check_composed_config(found, _program()[1], words, found.hydra.runtime.config_sources)
        processes = processes_of_job(found, self._gpus_per_job)
        if processes > 1:
            check_ranks(found, processes)
        return found

    def _job(self, index: SweepIndex, words: list[str], composed: DictConfig) -> SweepJob:
        """The job's entry of the index: new, or as an earlier command left it."""
        from omegaconf import open_dict

        from hydra_plugins.tvo_launcher.renamed_recipe_jobs import check_same_recipe
        from tvo_cli import config, redaction
        from tvo_cli.sweep.job_fingerprint import begins_anew, fingerprint_of_job
        from tvo_cli.sweep.sweep_index import SweepJob
        from tvo_cli.sweep.torchrun import processes_of_job
        from tvo_cli.tracking import run_status

        wanted = str(composed.hydra.sweep.subdir)
        bare = composed.copy()
        with open_dict(bare):
            del bare["hydra"]
        fingerprint = fingerprint_of_job(bare)
        kept = [word for word in words if config.split_override(word)[0] != "output_dir"]
        check_same_recipe(index, redaction.redacted_arguments(kept), fingerprint, bare)
        name, done = index.enter(fingerprint, wanted)
        place = Path(os.path.relpath(index.folder / name))
        given = [*self._flags(), *self._foreign(), *kept, f"output_dir={_quoted(str(place))}", *self._mode()]
        processes = processes_of_job(bare, self._gpus_per_job)
        job = SweepJob(
            fingerprint=fingerprint,
            folder=name,
            overrides=redaction.redacted_arguments(kept),
            command=shlex.join([*_typed(processes), *redaction.redacted_arguments(given)]),
            steps=(bare.get("trainer") or {}).get("steps"),
            processes=processes,
            words=[*self._command(processes), *given],
            anew=begins_anew(bare),
        )
        if done and not job.anew:
            job.state, job.before, job.code = run_status.FINISHED, True, 0
        index.add(job)
        return job

    def _command(self, processes: int) -> list[str]:
        """What starts a job: this Python and this program, unless `hydra.launcher.program` says otherwise."""
        from tvo_cli.sweep.torchrun import command_by_torchrun

        program = _program()
        if program[0] == "tvo":
            starts = list(self._program or [sys.executable, "-m", "tvo_cli"])
            if processes > 1:
                starts = command_by_torchrun(starts, processes, self._settings.grace)
            return [*starts, *program[1:]]
        return [*(self._program or [sys.executable]), *program]

    def _starts_warm(self, jobs: Sequence[SweepJob], on_cpu: bool) -> bool:
        """Whether jobs are forked from a process that has loaded the program; several of one process must be to run."""
        from tvo_cli.errors import UserError
        from tvo_cli.sweep.fork_server import can_fork_jobs
        from tvo_cli.sweep.slots import visible_gpus
        from tvo_cli.tracking import run_status

        if self._warm_starts not in (True, False, "auto"):
            raise UserError("hydra.launcher.warm_starts", self._warm_starts, "must be auto, true or false.")
        possible = not self._program and _program()[0] == "tvo" and can_fork_jobs()
        if self._warm_starts is True and not possible:
            why = "jobs are forked on Linux alone, and not where hydra.launcher.program starts them."
            raise UserError("hydra.launcher.warm_starts", True, why, "Leave it out, or take false.")
        several = sum(job.processes == 1 and job.state != run_status.FINISHED for job in jobs) > 1
        wanted = self._warm_starts is True or (self._warm_starts == "auto" and (on_cpu or not visible_gpus(os.environ)))
        return possible and several and wanted

    def _flags(self) -> list[str]:
        """`--config-name` and `--config-dir` of the command."""
        from hydra._internal.utils import get_args_parser

        given, _ = get_args_parser().parse_known_args(sys.argv[1:])
        pairs = (("--config-name", given.config_name), ("--config-dir", given.config_dir))
        return [part for flag, value in pairs if value for part in (flag, str(value))]

    def _mode(self) -> list[str]:
        """Needed where the config itself, and not `-m`, makes a sweep of the command."""
        return [] if {"-m", "--multirun"} & set(sys.argv) else ["hydra.mode=RUN"]

    def _foreign(self) -> list[str]:
        """The command's overrides of Hydra itself that concern a job."""
        return [word for word in self._config.hydra.overrides.hydra if not word.lstrip("+~").startswith(OURS)]


class Returned(JobReturn):
    """A job's end; unlike Hydra's it does not print what the closing table has said."""

    @property
    def return_value(self) -> Any:
        """The objective of a job that ended well; else an exception."""
        if isinstance(self._return_value, Exception):
            raise self._return_value
        return self._return_value

    @return_value.setter
    def return_value(self, value: Any) -> None:
        self._return_value = value


def _returned(folder: Path, job: SweepJob, composed: DictConfig, code: int) -> JobReturn:
    from tvo_cli.sweep.sweep_objective import JobWithoutObjective, value_for_sweeper
    from tvo_cli.tracking import run_status

    done = job.state == run_status.FINISHED
    found = Returned(overrides=job.overrides, working_dir=str(folder / job.folder))
    found.status = JobStatus.COMPLETED if done else JobStatus.FAILED
    found.return_value = (
        value_for_sweeper(folder / job.folder, composed.get("sweep_objective")) if done else JobWithoutObjective(code)
    )
    return found


def _fork_server(folder: Path, slot: Slot) -> ForkServer:
    """The process that jobs are forked from; every slot has the same threads."""
    from tvo_cli.job.preloaded_modules import PRELOADED_MODULES
    from tvo_cli.sweep.fork_server import ForkServer

    return ForkServer(PRELOADED_MODULES, slot.environment(os.environ), folder)


def _opening(jobs: Sequence[SweepJob], asked: int, slots: Sequence[Slot], gpus_per_job: int, *, warm: bool) -> str:
    from tvo_cli.sweep.sweep_summary import repeated_jobs_note

    gpus = [slot.gpus.replace(",", "+") for slot in slots if slot.gpus is not None]
    single = sum(job.processes == 1 for job in jobs) if gpus_per_job > 1 else 0
    before = sum(job.before for job in jobs)
    parts = [
        f"sweep: {len(jobs)} {'job' if len(jobs) == 1 else 'jobs'}{repeated_jobs_note(asked, len(jobs))}",
        f"{before} already finished" if before else "",
    ]
    parts += [f"{len(slots)} at a time", f"GPUs {', '.join(dict.fromkeys(gpus))}" if gpus else ""]
    parts += [f"{single} of the jobs one process, for all GPUs of its slot" if single else ""]
    parts += [f"{slots[0].threads} threads each", "warm starts" if warm else ""]
    return ", ".join(part for part in parts if part)


def _typed(processes: int) -> list[str]:
    """The words before the settings with which a person reruns a job alone."""
    program = _program()
    if processes == 1:
        return program
    return ["torchrun", "--standalone", f"--nproc-per-node={processes}", "-m", "tvo_cli", *program[1:]]


def _program() -> list[str]:
    """`tvo train` as words; the script's path in any other Hydra program."""
    return sys.argv[0].split() if sys.argv[0].startswith("tvo ") else [sys.argv[0]]


def _on_cpu(composed: DictConfig) -> bool:
    return str(composed.get("device") or (composed.get("trainer") or {}).get("device")) == "cpu"


def _quoted(text: str) -> str:
    """A value as Hydra's grammar reads it back."""
    from tvo_cli import config

    plain = text.replace("/", "").replace("-", "").replace("_", "").replace(".", "").replace("+", "")
    return text if plain.isalnum() and plain.isascii() else config.in_hydra_quotes(text, '"')

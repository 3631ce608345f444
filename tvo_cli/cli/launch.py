"""One command through the real @hydra.main: run folders, sweeps, `--cfg job` and all, with our errors.

Hydra prints the exceptions of a job itself and leaves with 1. The task therefore never raises: a failure is
reported as one line and remembered, the other jobs of a sweep go on, and the exit code tells at the end.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvo_cli import config as configuration
from tvo_cli.cli import failure
from tvo_cli.errors import UserError

if TYPE_CHECKING:
    from omegaconf import DictConfig

Task = Callable[["DictConfig"], Any]


@dataclass
class Jobs:
    """The task that Hydra calls once a job, and what became of each."""

    task: Task
    debug: bool = False
    codes: list[int] = field(default_factory=list)

    def run(self, config: DictConfig) -> Any:
        """Run one job in its folder; a failure is said, remembered, and does not stop the other jobs."""
        from hydra.core.hydra_config import HydraConfig

        hydra = HydraConfig.get()
        config.output_dir = hydra.runtime.output_dir
        if "MULTIRUN" in str(hydra.mode):
            print(f"job {hydra.job.num}: {' '.join(hydra.overrides.task)}", flush=True)
        try:
            found = self.task(config)
        except KeyboardInterrupt as error:
            failure.report(error)
            tidy(Path(config.output_dir))
            raise
        except Exception as error:  # a defect in one job must not end a sweep; report() shows its traceback
            self.codes.append(failure.report(error, debug=self.debug))
            tidy(Path(config.output_dir))
            return None
        self.codes.append(0)
        return found

    @property
    def code(self) -> int:
        """0 when every job went well, else the code of the first that did not."""
        return next((code for code in self.codes if code), 0)


def launch(task: Task, root: str, words: Sequence[str], *, program: str, debug: bool = False) -> int:
    """Give the words to Hydra untouched; the exit code."""
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    logging.raiseExceptions = False  # Hydra prints `--info` through logging; a closed pipe is no defect
    configuration.register_resolvers()
    jobs = Jobs(task, debug)

    def job(config: DictConfig) -> Any:
        return jobs.run(config)

    main = hydra.main(config_path=str(configuration.conf_dir()), config_name=root, version_base="1.3")(job)
    with _arguments(program, words), _raising():
        try:
            main()
        except (HydraException, OmegaConfBaseException) as error:
            raise configuration.explain(error, overrides_of(words), root) from error
        except OSError as error:  # a job's own are reported by Jobs: this is Hydra making the run folder
            raise run_folder_error(error) from error
    return jobs.code


def run_folder_error(error: OSError) -> BaseException:
    """What stands in the way of the run folder, with its key."""
    if error.filename is None:
        return error
    remedy = "Name another folder: output_dir=…"
    return UserError("output_dir", error.filename, f"cannot be made: {error.strerror}.", remedy)


def overrides_of(words: Sequence[str]) -> list[str]:
    """The overrides among the words of a Hydra command line."""
    from hydra._internal.utils import get_args_parser

    known, _ = get_args_parser().parse_known_args(list(words))
    return list(known.overrides)


def tidy(folder: Path) -> None:
    """Remove the empty folders that Hydra made for a job which wrote nothing: run, experiment, outputs."""
    for place in (folder, *list(folder.parents)[:2]):
        if place == Path.cwd() or place in Path.cwd().parents:
            return
        try:
            place.rmdir()
        except OSError:
            return


@contextmanager
def _arguments(program: str, words: Sequence[str]) -> Iterator[None]:
    """Hydra reads sys.argv."""
    before, sys.argv = sys.argv, [program, *words]
    try:
        yield
    finally:
        sys.argv = before


@contextmanager
def _raising() -> Iterator[None]:
    """Hydra raises its errors instead of printing them when HYDRA_FULL_ERROR is 1."""
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = before

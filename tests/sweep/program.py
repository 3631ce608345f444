"""`tvo` with a stand-in for the composition root: real commands, config, launcher and run folders, no model.

`+act=` says what a job does: ok, raise, user, exit, kill, hang (deaf to SIGTERM), slow (a step every 0.1 s, saves when
asked), brood (leaves a child in a session of its own). Every start of a job adds a line to starts.txt
beside its folder.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import tvo_cli
from tvo_cli.config.schema.command_configs import CONFIG_OF_COMMAND, TrainConfig
from tvo_cli.config.schema.value_types import Free, Label, key
from tvo_cli.errors import UserError
from tvo_cli.tracking import Tracker


class StandIn(TrainConfig):
    """The keys of this program besides."""

    act: Label = key("what a job does", optional=True)
    note: Label = key("anything", optional=True)
    vault: Free = key("secrets", optional=True)


CONFIG_OF_COMMAND["train"] = StandIn


class Interrupted(Exception):
    """As the training loop raises it after saving."""


Interrupted.__module__ = "tvo_cli.training.resume.session_checkpoint"


def train(config: Any, ranks: object = None) -> dict[str, Any]:
    """Do what `act` says, then two steps."""
    folder = Path(config.output_dir)
    with (folder.parent / "starts.txt").open("a") as file:
        file.write(f"{folder.name} {os.environ.get('CUDA_VISIBLE_DEVICES')} {os.environ.get('OMP_NUM_THREADS')}\n")
    (folder / "pids.txt").write_text(f"{os.getpid()}\n")
    if not (folder.parent / "mended").exists():
        act(str(config.get("act", "ok")), folder)
    with Tracker(config, folder) as tracker:
        for step in (1, 2):
            tracker.log(step, {"reward/mean": config.seed / 4, "accuracy/fresh": step / 4})
        tracker.log_evaluation(2, {"eval/pass@1": config.seed / 8})
        return tracker.finish({"steps": 2})


def act(what: str, folder: Path) -> None:
    """Misbehave."""
    if what == "raise":
        raise RuntimeError("boom")
    if what == "user":
        raise UserError("seed", 1, "is unlucky.")
    if what == "exit":
        os._exit(3)
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    if what == "slow":
        slow(folder)
    if what == "brood":
        child = subprocess.Popen(["sleep", "600"], start_new_session=True)
        with (folder / "pids.txt").open("a") as file:
            file.write(f"{child.pid}\n")


def slow(folder: Path) -> None:
    """Steps of a tenth of a second for ten minutes; a checkpoint of its own when a signal asks."""
    asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    saved = folder / "saved.txt"
    begin = int(saved.read_text()) if saved.exists() else 0
    (folder / "began.txt").open("a").write(f"{begin}\n")
    for step in range(begin, 6_000):
        if asked.is_set():
            saved.write_text(str(step))
            raise Interrupted(f"interrupted; saved step {step}")
        if (folder.parent / "hurry").exists():
            return
        time.sleep(0.1)


def start_jobs_warm() -> None:
    """Have the sweep fork its jobs, which are this program, from a fork server."""
    from hydra.core.plugins import Plugins

    from tvo_cli.job import preloaded_modules

    Plugins.instance()  # which loads every plugin's module, whether it is there or not
    from hydra_plugins.tvo_launcher.process import ProcessLauncher

    preloaded_modules.PRELOADED_MODULES = ("tvo_cli.cli.main", "tvo_cli.cli.launch", "hydra")  # type: ignore[assignment]
    ProcessLauncher._command = lambda self, processes: [sys.executable, "-m", "tests.sweep.program", "train"]  # type: ignore[method-assign]


experiment = ModuleType("tvo_cli.experiment")
experiment.train = train  # type: ignore[attr-defined]
sys.modules["tvo_cli.experiment"] = experiment
tvo_cli.experiment = experiment
early_checks = ModuleType("tvo_cli.experiment.early_checks")  # the stand-in's settings are no run's
early_checks.check_training_early = lambda config: None  # type: ignore[attr-defined]
sys.modules["tvo_cli.experiment.early_checks"] = early_checks

if __name__ == "__main__":
    from tvo_cli.cli.main import main
    from tvo_cli.report import figure_and_card

    if os.environ.get("JOBS_OF_STAND_IN") == "warm":
        start_jobs_warm()
    figure_and_card.write_figure_and_card = lambda folder: "closed"
    sys.exit(main())

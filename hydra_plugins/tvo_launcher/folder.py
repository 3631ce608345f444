"""Pins the folder of a sweep: every job, in whatever process a launcher puts it, finds the same one; says the best."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback


class PinFolder(Callback):
    """Before a multirun: the resolved folder, and the keys that are the same in every job, become overrides of each."""

    def on_multirun_start(self, config: Any, **unused: Any) -> None:
        """Hydra's hook; `config` is what the sweeper and the launcher will see."""
        from omegaconf import open_dict, read_write

        from tvo_cli.config import in_hydra_quotes, split_override
        from tvo_cli.sweep import folder_names, optimising_sweeper, refused_sweeps

        optimising_sweeper.silence_optuna(config.hydra.sweeper)
        folder = str(Path(str(config.hydra.sweep.dir)).absolute())
        refused_sweeps.remember_sweep_folder(Path(folder))
        fixed, _ = folder_names.fixed_and_swept_in_folder_name(
            [*config.hydra.overrides.task, *folder_names.sweeper_parameters_in_folder_name(config)]
        )
        hidden = [*config.hydra.job.config.override_dirname.exclude_keys, *(split_override(word)[0] for word in fixed)]
        pinned = [
            f"hydra.sweep.dir={in_hydra_quotes(folder)}",
            f"hydra.job.config.override_dirname.exclude_keys=[{','.join(hidden)}]",
        ]
        with read_write(config), open_dict(config):
            config.hydra.sweep.dir = folder
            config.hydra.overrides.hydra = [*config.hydra.overrides.hydra, *pinned]

    def on_multirun_end(self, config: Any, **unused: Any) -> None:
        """Hydra's hook, after the last job: what an optimising sweeper has found."""
        from tvo_cli.sweep import optimising_sweeper

        if optimising_sweeper.is_optimising_sweeper(config.hydra.sweeper):
            folder = Path(str(config.hydra.sweep.dir))
            told = optimising_sweeper.optimiser_best_job_lines(
                folder, Path(os.path.relpath(folder)), config.get("sweep_objective")
            )
            print("".join(f"{line}\n" for line in told), end="", flush=True)

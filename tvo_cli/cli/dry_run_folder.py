"""The folder of a dry run's job: refused where the run could not begin in it or go on from it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tvo_cli import config as configuration
from tvo_cli.errors import UserError

if TYPE_CHECKING:
    from omegaconf import DictConfig


def check_folder_of_dry_run(words: Sequence[str], config: DictConfig, name: str) -> None:
    """Refuse the folder that the run or the sweep would refuse; the jobs of a sweep have folders of the sweep's."""
    from hydra._internal.utils import get_args_parser

    from tvo_cli.job.run_in_folder import check_folder_takes_run
    from tvo_cli.sweep.folder_names import folder_of_sweep
    from tvo_cli.sweep.refused_sweeps import check_folder_holds_no_run

    known = get_args_parser().parse_args(configuration.normalised_overrides(words))
    if known.multirun:
        check_folder_holds_no_run(folder_of_sweep(known.overrides, config, name))
        return
    folder = Path(config.output_dir)
    check_folder_takes_run(folder, "train")
    if (folder / "checkpoints").exists() or str(config.resume.mode) == "must":
        _check_run_may_go_on(folder, config)


def _check_run_may_go_on(folder: Path, config: DictConfig) -> None:
    """Refuse checkpoints of other settings, or none where one must be.

    What is `auto` is settled as this machine would; where that is impossible the run itself compares.
    """
    from tvo_cli.checkpoint import checkpoint_folders
    from tvo_cli.experiment.automatic_settings import settle_training_settings
    from tvo_cli.training.resume.resume_compatibility import check_resumable

    settled = copy.deepcopy(config)
    if checkpoint_folders.list_checkpoints(folder / "checkpoints"):
        try:
            settle_training_settings(settled, tell=lambda note: None)
        except UserError:  # of a model or a device that is on another machine
            return
    check_resumable(folder, settled)

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


def check_folder_of_dry_run(words: Sequence[str], config: DictConfig) -> None:
    """Refuse a run's folder that the run would refuse; the jobs of a sweep have folders of the sweep's."""
    from hydra._internal.utils import get_args_parser

    if get_args_parser().parse_args(configuration.normalised_overrides(words)).multirun:
        return
    from tvo_cli.job.run_in_folder import check_run_folder

    folder = Path(config.output_dir)
    check_run_folder(folder)
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

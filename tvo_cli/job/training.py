"""One training run with everything that it leaves: summary, diagnosis, figure and card."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from tvo_cli.parallel.ranks import Ranks


def train_and_report(config: DictConfig, show: Callable[[str], object], ranks: Ranks | None = None) -> dict[str, Any]:
    """Train by a config, diagnose the run, draw its figure, write its card and show it; return the summary.

    A run that shards (parallel=shard) and has one process is a group of one. Of several ranks the first reports.
    """
    from tvo_cli.experiment.early_checks import check_training_early

    check_training_early(config)
    from tvo_cli.experiment import train

    if ranks is None and config.parallel.strategy == "shard":
        from tvo_cli.experiment.connect_ranks import ranks_of_single_process

        with ranks_of_single_process(config) as alone:
            return train_and_report(config, show, alone)
    summary = train(config, ranks)
    if ranks is None or ranks.is_first:
        from pathlib import Path

        from tvo_cli.diagnosis.diagnosis_file import write_diagnosis
        from tvo_cli.report.figure_and_card import write_figure_and_card

        write_diagnosis(Path(config.output_dir))
        show(write_figure_and_card(config.output_dir))
    return summary

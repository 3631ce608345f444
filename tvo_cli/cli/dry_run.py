"""`tvo train --dry-run`: the resolved config and the sizes that follow; nothing is started or written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tvo_cli import config as configuration
from tvo_cli.errors import UserError


def show(words: Sequence[str]) -> None:
    """Print the config and the plan of the command's run; of a sweep, its first job."""
    from tvo_cli.cli import render

    config, jobs = composed(words)
    from tvo_cli.experiment import plan

    sizes = plan(config)
    if jobs > 1:
        print(f"{jobs} jobs; this is the first.")
    render.config(config)
    render.plan(sizes)


def composed(words: Sequence[str], root: str = "train") -> tuple[Any, int]:
    """The config that the words describe, and of how many jobs it is the first."""
    from hydra._internal.utils import get_args_parser

    known = get_args_parser().parse_args(list(words))
    if known.config_path or known.config_dir:
        key = "--config-path" if known.config_path else "--config-dir"
        given = known.config_path or known.config_dir
        raise UserError(key, given, "is not read by --dry-run.", "Put the file into conf/, or leave it out.")
    batches = sweep(known.overrides) if known.multirun else [list(known.overrides)]
    return configuration.compose(batches[0], known.config_name or root), len(batches)


def sweep(overrides: Sequence[str]) -> list[list[str]]:
    """The overrides of every job of a sweep, as Hydra's own sweeper splits them."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except OverrideParseException as error:
        raise configuration.explain(error, overrides) from error
    batches = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    return [list(job) for batch in batches for job in batch]

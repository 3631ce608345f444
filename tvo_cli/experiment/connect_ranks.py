"""Connecting the ranks of a run: the processes that were started together, or this one alone where it shards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig

from tvo_cli.config.rank_checks import check_ranks
from tvo_cli.experiment.rank_device import device_of_rank, share_processors
from tvo_cli.parallel.process_group import ProcessGroup
from tvo_cli.parallel.ranks import Ranks
from tvo_cli.tracking.run_log import open_run_log


@contextmanager
def ranks_of_single_process(config: DictConfig) -> Iterator[Ranks]:
    """This process as all ranks there are."""
    check_ranks(config, 1)
    with ranks_of_run(ProcessGroup.alone(), config) as ranks:
        yield ranks


@contextmanager
def ranks_of_run(group: ProcessGroup, config: DictConfig) -> Iterator[Ranks]:
    """This process among those of a group, joined for one run; what ranks after the first print goes into a log."""

    def prepare() -> str:
        if not group.place.leads:
            _write_output_to_log(Path(config.output_dir) / f"rank-{group.place.rank}.log")
        return device_of_rank(config, group.place.local_rank)

    device, node = group.run_on_every_rank(prepare), config.parallel
    with group.joined(float(node.timeout), device, sharded=node.strategy == "shard") as ranks:
        share_processors(config, ranks)
        yield ranks


def _write_output_to_log(path: Path) -> None:
    """Put a file under stdout and stderr: libraries' own words go there too, and not between rank 0's lines."""
    open_run_log(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)

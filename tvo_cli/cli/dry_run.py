"""`tvo train --dry-run`: the sizes that follow from a config, and the config; nothing is started or written."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tvo_cli import config as configuration
from tvo_cli.cli.disk_check import disk_held_already, show_disk_of_jobs
from tvo_cli.cli.dry_run_folder import check_folder_of_dry_run
from tvo_cli.cli.printing import format_printed_value, print_table
from tvo_cli.errors import UserError
from tvo_cli.sweep.folder_names import check_folder_is_named_once
from tvo_cli.sweep.refused_sweeps import check_sweep_has_jobs
from tvo_cli.sweep.slots import Job, jobs_at_once
from tvo_cli.tracking.buffered_log import BufferedLog

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from tvo_cli.cli.derived_sizes import DerivedSizes, Sizes

LISTED = 64  # jobs of a sweep that have a row each; of more, each setting has one
CHECKED = 24  # values beside the first job's: each takes a fiftieth of a second
COMPOSED = 4  # configurations at most: each takes a fifth of a second
SIZELESS = ("seed", "optimizer.lr", "experiment_name", "run_name", "output_dir")  # keys on which no size depends
READ = frozenset({"jsonl", "own"})  # kinds of data that the user brings


def show_dry_run(words: Sequence[str], ranks: int | None = None) -> None:
    """Print the derived sizes and the config of a run; of a sweep a table of its jobs, then the first one's.

    `ranks`: as if so many processes ran it.
    """
    from tvo_cli.cli import printing
    from tvo_cli.cli.startup_message import announce_on_stderr, announce_users_configs, say_repeated_keys

    announce_users_configs("tvo train --dry-run", words)
    announce_on_stderr("tvo train --dry-run", "composing the configuration")
    say_repeated_keys("tvo train --dry-run", words)
    if ranks is not None and ranks < 1:
        raise UserError("--ranks", ranks, "is no number of processes.", "Give 1 or more.")
    jobs, name = jobs_of_command_line(words)
    first = configuration.compose(jobs[0], name)
    _check_before_loading_torch(first)
    check_folder_of_dry_run(words, first, name)
    with BufferedLog():  # the data are read again and again: what is odd about them is said once
        plan = dry_run_sizes(first, ranks or 0)
        _check_data_of_dry_run(first)
        _check_values_in_dry_run(jobs, first, name)
        plans = _sizes_of_each_job(jobs, plan, name, ranks or 0)
    if len(jobs) > 1:
        print(f"{len(jobs)} jobs; below, the first one's sizes and configuration.")
        _print_differing_jobs(jobs, plans)
    try:
        held = disk_held_already(words, jobs, first, name)
        sizes = zip(plans or [plan] * len(jobs), held, strict=True)
        disks = [one.disk_with(there.checkpoints) if one.disk_with else one.disk for one, there in sizes]
        show_disk_of_jobs(disks, first.output_dir, held=held, at_once=jobs_at_once(jobs), assumed=not plans)
    finally:  # a run that does not fit on this disk may be meant for another machine
        print_dry_run_sizes(plan.table)
    print()
    printing.print_config(first)


def _check_before_loading_torch(config: DictConfig) -> None:
    """Refuse at once what can be seen at once; a model may be on another machine."""
    from tvo_cli.config.cross_key_checks import check_without_torch
    from tvo_cli.experiment.early_checks import check_training_data_early

    check_without_torch(config)
    check_training_data_early(config)


def _check_data_of_dry_run(config: DictConfig) -> None:
    """Refuse problems of a file that the run would refuse, and a curriculum that the problems cannot follow."""
    sources = config.dataset.get("sources") or {}
    is_read = {str(node.kind) for node in (config.dataset, *sources.values())} & READ
    if not is_read and config.curriculum.kind == "none":
        return
    from tvo_cli.training.run_data.run_problems import check_run_problems_without_model

    check_run_problems_without_model(config)


def _sizes_of_each_job(jobs: Sequence[Job], first: DerivedSizes, name: str, ranks: int) -> list[DerivedSizes]:
    """Return the derived sizes of each job, composed once for equal ones; nothing where those are too many."""
    kinds = [_dry_run_overrides(job) for job in jobs]
    others = {kind: job for job, kind in zip(reversed(jobs), reversed(kinds)) if kind != kinds[0]}
    if len(others) >= COMPOSED:
        return []
    plans = {kind: dry_run_sizes(configuration.compose(job, name), ranks) for kind, job in others.items()}
    return [plans.get(kind, first) for kind in kinds]


def _check_values_in_dry_run(jobs: Sequence[Job], first: DictConfig, name: str) -> None:
    """Refuse a swept value that no job can have: each is tried in the first job's config."""
    others = [word for word in dict.fromkeys(word for job in jobs for word in job) if word not in jobs[0]]
    for word in others[:CHECKED]:
        group, value = configuration.split_override(word)
        if group not in configuration.config_groups():
            _check_value_in_dry_run(word, first, name)
        elif value not in configuration.choices_of_group(group):
            configuration.compose([word], name)


def _check_value_in_dry_run(word: str, first: DictConfig, name: str) -> None:
    """Refuse one swept value that the first job's config cannot take."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf, open_dict

    parsed = OverridesParser.create().parse_override(word)
    key = str(parsed.key_or_group)
    if parsed.is_delete() or key.startswith("hydra."):
        return
    config = copy.deepcopy(first)
    with open_dict(config):
        OmegaConf.update(config, key, parsed.value())
        configuration.clear_own_code_record(config)
    configuration.check_composed_config(config, name, [word])


def _dry_run_overrides(job: Job) -> tuple[str, ...]:
    """Return a job's overrides without those on which no derived size depends."""
    return tuple(word for word in job if configuration.split_override(word)[0] not in SIZELESS)


def dry_run_sizes(config: Any, ranks: int = 0) -> DerivedSizes:
    """Return the derived sizes of a config, of so many ranks; refuse a config that cannot work."""
    from tvo_cli.cli.derived_sizes import derived_sizes

    with BufferedLog():  # a file is read for each of its splits, and says what is odd about it once
        return derived_sizes(config, ranks)


def _print_differing_jobs(jobs: Sequence[Job], plans: Sequence[DerivedSizes]) -> None:
    """Print the settings that are swept and the sizes in which the jobs differ."""
    from tvo_cli.cli import printing

    given = [dict(map(configuration.split_override, job)) for job in jobs]
    keys = dict.fromkeys(key for one in given for key in one)
    values = {key: list(dict.fromkeys(one.get(key, "") for one in given)) for key in keys}
    swept = [key for key, found in values.items() if len(found) > 1]
    if len(jobs) > LISTED:
        rows = [[key, str(len(values[key])), ", ".join(values[key])] for key in swept]
        printing.print_table(("setting", "values", "which"), rows, headed=True)
    else:
        tables = [plan.table for plan in plans]
        apart = [one for one in (tables[0] if tables else ()) if len({repr(table.get(one)) for table in tables}) > 1]
        told = [[_derived_size_text(table.get(label)) for label in apart] for table in tables] or [[] for _ in jobs]
        rows = [[str(n), *(one.get(key, "") for key in swept), *told[n]] for n, one in enumerate(given)]
        printing.print_table(("job", *swept, *apart), rows, headed=True)
    if not plans:
        key = next(key for key in swept if key not in SIZELESS)
        print(f"Sizes may differ with {key}: tvo train --dry-run {key}=… shows those of one value.")
    print()


def _derived_size_text(entry: tuple[int | float | str, str] | None) -> str:
    """Return a derived size as the table of jobs shows it."""
    return format_printed_value(None if entry is None else entry[0])


def jobs_of_command_line(words: Sequence[str], root: str = "train") -> tuple[list[list[str]], str]:
    """Return the overrides of each job that the arguments describe, and the config that they begin from."""
    from hydra._internal.utils import get_args_parser

    known = get_args_parser().parse_args(configuration.normalised_overrides(words))
    if known.config_path:
        remedy = "Name the folder by --config-dir, or leave it out."
        raise UserError("--config-path", known.config_path, "is not read by --dry-run.", remedy)
    name, overrides = known.config_name or root, list(known.overrides)
    check_folder_is_named_once(overrides, multirun=known.multirun)
    if not known.multirun:
        return [overrides], name
    return dry_run_jobs([*configuration.sweep_parameters(overrides, name), *overrides]), name


def dry_run_jobs(overrides: Sequence[str]) -> list[list[str]]:
    """Return the overrides of every job of a sweep, as Hydra's own sweeper splits them."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except OverrideParseException as error:
        raise configuration.explain_hydra_error(error, overrides) from error
    batches = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    jobs = [list(job) for batch in batches for job in batch]
    check_sweep_has_jobs(jobs, overrides)
    return jobs


def print_dry_run_sizes(sizes: Sizes) -> None:
    """Print the derived sizes of a dry run: label, value, and what the value comes from."""
    rows = [[label, format_printed_value(value), note] for label, (value, note) in sizes.items()]
    print_table(("size", "value", "note"), rows)

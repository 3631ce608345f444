"""`tvo train --dry-run`: the sizes that follow from a config, and the config; nothing is started or written."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tvo_cli import config as configuration
from tvo_cli.errors import UserError

if TYPE_CHECKING:
    from omegaconf import DictConfig

LISTED = 64  # jobs of a sweep that have a row each; of more, each setting has one
CHECKED = 24  # values beside the first job's: each takes a fiftieth of a second
COMPOSED = 4  # configurations at most: each takes a fifth of a second
SIZELESS = ("seed", "optimizer.lr", "experiment_name", "run_name", "output_dir")  # keys on which no size depends
Job = Sequence[str]


def show(words: Sequence[str]) -> None:
    """Print the plan of the command's run, then its config; of a sweep a table of its jobs, then the first one's."""
    from tvo_cli.cli import render
    from tvo_cli.cli.startup_message import announce

    announce("tvo train --dry-run", "composing the configuration")
    jobs, name = described(words)
    first = configuration.compose(jobs[0], name)
    plan = sizes(first)
    _check_values(jobs, first, name)
    if len(jobs) > 1:
        print(f"{len(jobs)} jobs; below, the first one's sizes and configuration.")
        _compare(jobs, _plans(jobs, plan, name))
    render.plan(plan)
    print()
    render.config(first)


def _plans(jobs: Sequence[Job], first: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The sizes of each job, composed once for all with the same ones; none where that were too many."""
    kinds = [_sized(job) for job in jobs]
    others = {kind: job for job, kind in zip(reversed(jobs), reversed(kinds)) if kind != kinds[0]}
    if len(others) >= COMPOSED:
        return []
    plans = {kind: sizes(configuration.compose(job, name)) for kind, job in others.items()}
    return [plans.get(kind, first) for kind in kinds]


def _check_values(jobs: Sequence[Job], first: DictConfig, name: str) -> None:
    """Refuse a value that no job can have: each is tried in the first job's configuration."""
    others = [word for word in dict.fromkeys(word for job in jobs for word in job) if word not in jobs[0]]
    for word in others[:CHECKED]:
        group, value = configuration.split_override(word)
        if group not in configuration.groups():
            _check_value(word, first, name)
        elif value not in configuration.names(group):
            configuration.compose([word], name)


def _check_value(word: str, first: DictConfig, name: str) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf, open_dict

    parsed = OverridesParser.create().parse_override(word)
    key = str(parsed.key_or_group)
    if parsed.is_delete() or key.startswith("hydra."):
        return
    config = copy.deepcopy(first)
    with open_dict(config):
        OmegaConf.update(config, key, parsed.value())
    configuration.declare(config, name, [word])


def _sized(job: Job) -> tuple[str, ...]:
    return tuple(word for word in job if configuration.split_override(word)[0] not in SIZELESS)


def sizes(config: Any) -> dict[str, Any]:
    """What a configuration amounts to; what cannot work is refused."""
    from tvo_cli.plan import plan
    from tvo_cli.tracking.buffered_log import HeldLog

    with HeldLog():  # a file is read for each of its splits, and says what is odd about it once
        return plan(config)


def _compare(jobs: Sequence[Job], plans: Sequence[Mapping[str, Any]]) -> None:
    """Print the settings that are swept and the sizes in which the jobs differ."""
    from tvo_cli.cli import render

    given = [dict(map(configuration.split_override, job)) for job in jobs]
    keys = dict.fromkeys(key for one in given for key in one)
    values = {key: list(dict.fromkeys(one.get(key, "") for one in given)) for key in keys}
    swept = [key for key, found in values.items() if len(found) > 1]
    if len(jobs) > LISTED:
        rows = [[key, str(len(values[key])), ", ".join(values[key])] for key in swept]
        render.table(("setting", "values", "which"), rows, headed=True)
    else:
        apart = [label for label in (plans[0] if plans else ()) if len({repr(plan.get(label)) for plan in plans}) > 1]
        told = [[_value(plan.get(label)) for label in apart] for plan in plans] or [[] for _ in jobs]
        rows = [[str(n), *(one.get(key, "") for key in swept), *told[n]] for n, one in enumerate(given)]
        render.table(("job", *swept, *apart), rows, headed=True)
    if not plans:
        key = next(key for key in swept if key not in SIZELESS)
        print(f"Sizes may differ with {key}: tvo train --dry-run {key}=… shows one's.")
    print()


def _value(entry: Any) -> str:
    from tvo_cli.cli.render import number

    return number(entry[0]) if isinstance(entry, tuple) else number(entry)


def described(words: Sequence[str], root: str = "train") -> tuple[list[list[str]], str]:
    """The overrides of each job that the words describe, and the config that they begin from."""
    from hydra._internal.utils import get_args_parser

    known = get_args_parser().parse_args(configuration.normalized(words))
    if known.config_path or known.config_dir:
        key = "--config-path" if known.config_path else "--config-dir"
        given = known.config_path or known.config_dir
        raise UserError(key, given, "is not read by --dry-run.", "Put the file into conf/, or leave it out.")
    name, overrides = known.config_name or root, list(known.overrides)
    if not known.multirun:
        return [overrides], name
    return sweep([*configuration.sweep_parameters(overrides, name), *overrides]), name


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

"""`tvo train --dry-run`: the sizes that follow from a config, and the config; nothing is started or written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tvo_cli import config as configuration
from tvo_cli.errors import UserError

MOST = 64  # jobs of a sweep that are composed and listed


def show(words: Sequence[str]) -> None:
    """Print the plan of the command's run, then its config; of a sweep a table of its jobs, then the first one's."""
    from tvo_cli.cli import render
    from tvo_cli.cli.loading_line import announce

    announce("tvo train --dry-run", "composing the configuration")
    jobs, name = described(words)
    plans = [sizes(configuration.compose(job, name)) for job in jobs[:MOST]]
    apart = [label for label in plans[0] if len({repr(plan.get(label)) for plan in plans}) > 1]
    if len(jobs) > 1:
        print(f"{len(jobs)} jobs; below, the first one's sizes and configuration.")
        _compare(jobs, plans, apart)
    render.plan(plans[0])
    print()
    render.config(configuration.compose(jobs[0], name))


def sizes(config: Any) -> dict[str, Any]:
    """What a configuration amounts to; what cannot work is refused."""
    from tvo_cli.plan import plan

    return plan(config)


def _compare(jobs: Sequence[Sequence[str]], plans: Sequence[Mapping[str, Any]], apart: Sequence[str]) -> None:
    """Print a row a job: the settings that are swept, and the sizes in which the jobs differ."""
    from tvo_cli.cli import render

    given = [dict(map(configuration.split_override, job)) for job in jobs]
    keys = dict.fromkeys(key for one in given for key in one)
    swept = [key for key in keys if len({one.get(key) for one in given}) > 1]
    rows = [
        [str(number), *(one.get(key, "") for key in swept), *(_value(plan.get(label)) for label in apart)]
        for number, (one, plan) in enumerate(zip(given, plans))
    ]
    render.table(("job", *swept, *apart), rows, headed=True)
    if len(jobs) > len(plans):
        print(f"and {len(jobs) - len(plans)} more")
    print()


def _value(entry: Any) -> str:
    from tvo_cli.cli.render import number

    return number(entry[0]) if isinstance(entry, tuple) else number(entry)


def described(words: Sequence[str], root: str = "train") -> tuple[list[list[str]], str]:
    """The overrides of each job that the words describe, and the config that they begin from."""
    from hydra._internal.utils import get_args_parser

    known = get_args_parser().parse_args(configuration.quoted(words))
    if known.config_path or known.config_dir:
        key = "--config-path" if known.config_path else "--config-dir"
        given = known.config_path or known.config_dir
        raise UserError(key, given, "is not read by --dry-run.", "Put the file into conf/, or leave it out.")
    jobs = sweep(known.overrides) if known.multirun else [list(known.overrides)]
    return jobs, known.config_name or root


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

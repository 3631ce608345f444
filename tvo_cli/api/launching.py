"""What surrounds a job that Python code starts: command line, own configs and plugins, errors, process state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tvo_cli import config as configuration
from tvo_cli.api.process_state import process_state_kept
from tvo_cli.api.python_errors import options_named_as_keywords, user_errors_raised
from tvo_cli.config import search_path
from tvo_cli.errors import UserError
from tvo_cli.parallel.launched_process import launched_process


@contextmanager
def launched(command: str, words: Sequence[str], config_dir: str | Path | None) -> Iterator[None]:
    """Inside, a job of `tvo COMMAND` with these overrides is composed and run; outside, the process is as it was."""
    folder = None if config_dir is None else str(config_dir)
    typed = [*([] if folder is None else [search_path.OPTION, folder]), *words]
    with ExitStack() as kept:
        kept.enter_context(user_errors_raised())
        kept.enter_context(options_named_as_keywords())
        kept.enter_context(process_state_kept())
        kept.enter_context(configuration.launched_from_python(f"tvo {command}", typed))
        kept.enter_context(_user_configs_of_call(folder))
        kept.enter_context(configuration.plugins_in_effect(words, command))
        yield


@contextmanager
def _user_configs_of_call(folder: str | None) -> Iterator[None]:
    """While a launched call runs, its folder of configs is looked into as that of --config-dir is."""
    before = search_path.given_config_dir()
    search_path.use_config_dir(folder)
    try:
        yield
    finally:
        search_path.use_config_dir(before)


def refuse_call_on_ranks(command: str) -> None:
    """Refuse a call in one of several processes that a launcher has started: each would train in the same folder."""
    place = launched_process()
    if place.count > 1:
        problem = f"{place.count} processes were started, and tvo.{command} runs in one."
        raise UserError(place.launcher, command, problem, f"Start {place.program} {command} … instead.")

"""Overrides as Python code gives them, and errors in the terms of Python."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from tvo_cli import config as configuration
from tvo_cli.errors import UserError
from tvo_cli.job.failure_description import USER_ERROR, causes_of_failure, describe_failure
from tvo_cli.parallel.launched_process import launched_process

OPTION = re.compile(r"--([a-z]+(?:-[a-z]+)*)( (?=[A-Z]))?")


def checked_overrides(overrides: Iterable[str], command: str) -> list[str]:
    """Return the overrides of a call, normalised; UserError for what is no list of `key=value`.

    Options of the shell's command are none: a sweep (-m) is a loop, or `tvo train -m` in a shell.
    """
    words = [] if isinstance(overrides, str | Mapping) or not isinstance(overrides, Iterable) else list(overrides)
    if (overrides and not words) or not all(isinstance(word, str) for word in words):
        remedy = f'Write a list of texts: tvo.{command}(["seed=1", "optimizer.lr=1e-4"]).'
        raise UserError("overrides", repr(overrides), "is no list of texts.", remedy)
    options = [word for word in words if word.startswith("-")]
    if options:
        remedy = f"For a sweep call tvo.{command} in a loop, or run `tvo {command} -m …` in a shell and load its runs."
        raise UserError("overrides", options[0], "is an option of the shell's command.", remedy)
    _refuse_call_on_ranks(command)
    return configuration.normalised_overrides(words)


def _refuse_call_on_ranks(command: str) -> None:
    """Refuse a call in one of several processes that a launcher has started: each would train in the same folder."""
    place = launched_process()
    if place.count > 1:
        problem = f"{place.count} processes were started, and tvo.{command} runs in one."
        raise UserError(place.launcher, command, problem, f"Start {place.program} {command} … instead.")


@contextmanager
def user_errors_raised() -> Iterator[None]:
    """Raise the UserError inside another error; add to an error of the machine the line that says what to do."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        told = next((cause for cause in causes_of_failure(error) if isinstance(cause, UserError)), None)
        if told is not None:
            raise told from error
        text, code = describe_failure(error)
        if code == USER_ERROR:
            error.add_note(f"tvo: {text}")
        raise


@contextmanager
def options_named_as_keywords() -> Iterator[None]:
    """Name in a UserError the keywords of a Python call in the place of a command's options."""
    try:
        yield
    except UserError as error:
        raise UserError(*map(_with_keywords_for_options, error.parts)) from error.__cause__


def _with_keywords_for_options(text: str) -> str:
    """An error's options as keywords of Python: `--choose-rate` → `choose_rate`, `--metric NAME` → `metric=NAME`."""
    return OPTION.sub(lambda found: found[1].replace("-", "_") + ("=" if found[2] else ""), text)

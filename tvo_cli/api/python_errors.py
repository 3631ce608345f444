"""Errors in the terms of Python: the UserError inside another one, a command's options as keywords of the call."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tvo_cli.errors import UserError
from tvo_cli.job.failure_description import USER_ERROR, causes_of_failure, describe_failure

OPTION = re.compile(r"--([a-z]+(?:-[a-z]+)*)( (?=[A-Z]))?")


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

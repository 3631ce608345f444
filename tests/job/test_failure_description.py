"""A failure as one line: whose it is, whatever the shape of its causes."""

from __future__ import annotations

import errno
import os

import pytest
import typer

from tvo_cli.cli.main import main
from tvo_cli.errors import UserError
from tvo_cli.job import failure_description as failure
from tvo_cli.standard_streams import OutputLost


def circle(*errors: BaseException) -> BaseException:
    """Errors of which each is the cause of the one before, and the first that of the last."""
    for error, cause in zip(errors, (*errors[1:], errors[0]), strict=True):
        error.__cause__ = cause
    return errors[0]


CIRCLES = [
    circle(ValueError("a")),
    circle(ValueError("a"), KeyError("b")),
    circle(OSError(errno.EIO, "Input/output error"), ValueError("b"), KeyError("c")),
]


@pytest.mark.parametrize("error", CIRCLES, ids=lambda error: type(error).__name__)
def test_causes_that_lead_back_are_each_seen_once(error: BaseException) -> None:
    found = list(failure.causes_of_failure(error))
    assert len(found) == len(set(map(id, found))) and failure.describe_failure(error)[0]


def test_a_cause_behind_a_circle_is_still_found() -> None:
    last = UserError("seed", 1, "is unlucky.")
    first = ValueError("a")
    first.__cause__ = last
    last.__cause__ = first
    assert failure.describe_failure(first) == ("seed=1: is unlucky.", failure.USER_ERROR)


def of(number: int, name: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), name) if name else OSError(number, os.strerror(number))


MACHINE = [
    (of(errno.EIO, "/data/a"), "/data/a: Input/output error"),
    (of(errno.ESTALE), "Stale file handle"),
    (of(errno.EMFILE, "/data/a"), "ulimit -n"),
    (of(errno.ENOMEM), "out of memory"),
    (of(errno.ENOSPC), "the disk is full"),
    (OutputLost("No space left on device"), "standard output: No space left on device"),
]


@pytest.mark.parametrize(("error", "said"), MACHINE, ids=lambda value: str(value)[:30])
def test_what_the_machine_refuses_is_no_defect_of_ours(error: Exception, said: str) -> None:
    text, code = failure.describe_failure(error)
    assert code == failure.USER_ERROR and said in text and "internal error" not in text


def test_a_defect_is_called_one() -> None:
    assert failure.describe_failure(ZeroDivisionError("division by zero")) == (
        "internal error (please report):  ZeroDivisionError: division by zero",
        failure.INTERNAL_ERROR,
    )


def test_a_question_of_typer_ends_with_one_mark() -> None:
    said = "Did you mean x?"
    assert failure.describe_failure(typer.BadParameter(said))[0] == f"Invalid value: {said} See tvo --help."
    assert (
        failure.describe_failure(typer.BadParameter("no such file."))[0]
        == "Invalid value: no such file. See tvo --help."
    )


def test_a_usage_error_names_the_help_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "a"]) == failure.USER_ERROR
    assert capsys.readouterr().err == "tvo: Missing option '--step'. See tvo replay --help.\n"


def test_an_installation_for_diagnoses_alone_says_what_another_command_needs() -> None:
    text, code = failure.describe_failure(ModuleNotFoundError("No module named 'hydra.core'", name="hydra.core"))
    assert text.startswith("hydra is not installed") and "pip install -e ." in text and code == failure.USER_ERROR
    _, code = failure.describe_failure(ModuleNotFoundError("No module named 'tvo_cli.lost'", name="tvo_cli.lost"))
    assert code == failure.INTERNAL_ERROR

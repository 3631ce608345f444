"""Overrides as Python code gives them, and errors in Python's terms."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from tvo_cli.api.overrides import checked_overrides
from tvo_cli.api.python_errors import options_named_as_keywords, user_errors_raised
from tvo_cli.errors import UserError


@pytest.mark.parametrize("given", [["seed=1"], ("seed=1",), iter(["seed=1"])])
def test_a_list_a_tuple_or_an_iterator_of_texts_is_taken(given: Any) -> None:
    assert checked_overrides(given, "train") == ["seed=1"]


@pytest.mark.parametrize("given", ["seed=1", {"seed": 1}, [1], 3, ["seed=1", None]])
def test_anything_else_is_refused_with_an_example(given: Any) -> None:
    with pytest.raises(UserError, match=r"is no list of texts\. Write a list of texts: tvo\.train\(\["):
        checked_overrides(given, "train")


@pytest.mark.parametrize("option", ["-m", "--multirun", "--config-dir=conf", "--cfg"])
def test_an_option_of_the_shell_is_refused(option: str) -> None:
    with pytest.raises(UserError, match="is an option of the shell's command"):
        checked_overrides([option, "seed=1"], "train")


def test_one_of_several_launched_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    place = {"LOCAL_RANK": "0", "RANK": "0", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"^torchrun=train: 2 processes were started"):
        checked_overrides([], "train")


def test_the_users_mistake_inside_another_error_is_what_is_raised() -> None:
    wrapped = ValueError("hydra's")
    wrapped.__cause__ = UserError("seed", 1, "is unlucky.")
    with pytest.raises(UserError, match=r"^seed=1: is unlucky\.$"), user_errors_raised():
        raise wrapped


def test_an_error_of_the_machine_keeps_its_type_and_says_what_to_do() -> None:
    with pytest.raises(OSError) as raised, user_errors_raised():
        raise OSError(errno.ENOSPC, "No space left on device", "outputs/a")
    assert "the disk is full while writing outputs/a" in raised.value.__notes__[0]


def test_a_defect_is_raised_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError) as raised, user_errors_raised():
        raise ZeroDivisionError
    assert not hasattr(raised.value, "__notes__")


def test_an_error_names_keywords_where_a_command_has_options() -> None:
    said = r"^choose_rate=x: not a choice\. Name it: metric=NAME\.$"
    with pytest.raises(UserError, match=said), options_named_as_keywords():
        raise UserError("--choose-rate", "x", "not a choice.", "Name it: --metric NAME.")


def test_a_key_given_twice_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert checked_overrides(["model.path=b", "seed=1"], "evaluate", ["model.path=a"])[:2] == [
        "model.path=a",
        "model.path=b",
    ]
    said = "note: model.path is given twice (model.path=a model.path=b): the last one holds, model.path=b.\n"
    assert capsys.readouterr().err == said

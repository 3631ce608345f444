"""Whose a failure is: own code's, with key, name, file and line; ours where own code has no part in it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tvo_cli import config
from tvo_cli.errors import UserError
from tvo_cli.job.failure_description import INTERNAL_ERROR, USER_ERROR, describe_failure
from tvo_cli.plugins import own_code_loading, own_targets
from tvo_cli.plugins.own_failure import own_failure
from tvo_cli.types import Advantage

MINE = """\
import math
import beside

def weight(tokens, *, floor):
    return tokens.value + floor

class Rule:
    def __init__(self, limit=0):
        self.rate = 1 / limit

    def __call__(self, row):
        return math.sqrt(row)

def through(tokens):
    return beside.lookup(tokens)

def reads(path):
    return open(path)

def rows(split):
    yield {}["question"]
"""
KEYS = {
    "weight": "algorithm.objective.weight",
    "Rule": "stability.rules.mine",
    "through": "x.through",
    "rows": "x.rows",
}


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(own_code_loading, "_files", {})
    monkeypatch.setattr(own_targets, "_allowed", ["./mine.py"])
    targets = {f"./mine.py:{name}": f"{key}._target_" for name, key in KEYS.items()}
    monkeypatch.setattr(own_targets, "_keys", targets)
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "beside.py").write_text("def lookup(tokens):\n    return tokens[3]\n")
    yield own_code_loading.load_module("plugins", "./mine.py")
    sys.modules.pop("beside", None)


def failure_of(call: Callable[[], object]) -> Exception:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("it does not fail")


CALLS: dict[str, tuple[Callable[[Any], object], str]] = {
    "an attribute that is not there": (
        lambda mine: mine.weight(Advantage(None, 1.0), floor=1),  # type: ignore[arg-type]
        "algorithm.objective.weight=./mine.py:weight: AttributeError: 'Advantage' object has no attribute 'value' "
        "(mine.py, line 5). Nearest: values",
    ),
    "a keyword that nobody gives": (
        lambda mine: partial(mine.weight)(None),
        "algorithm.objective.weight=./mine.py:weight: TypeError: weight() missing 1 required keyword-only argument: "
        "'floor' (mine.py, line 4).",
    ),
    "a class that is called": (
        lambda mine: mine.Rule(1)(-1),
        "stability.rules.mine=./mine.py:Rule: ValueError: math domain error (mine.py, line 12).",
    ),
    "a class given too much": (lambda mine: mine.Rule(1, 2), "stability.rules.mine=./mine.py:Rule: TypeError: Rule."),
    "a file beside it": (lambda mine: mine.through([]), "IndexError: list index out of range (beside.py, line 2)."),
    "a file that it reads": (
        lambda mine: mine.reads("a.csv"),
        "FileNotFoundError: [Errno 2] No such file or directory",
    ),
    "a generator": (lambda mine: list(mine.rows("train")), "x.rows=./mine.py:rows: KeyError: 'question' (mine.py,"),
}


@pytest.mark.parametrize("case", CALLS)
def test_an_error_in_own_code_names_key_function_file_and_line(mine: Any, case: str) -> None:
    call, said = CALLS[case]
    text, code = describe_failure(failure_of(lambda: call(mine)))
    assert said in text and code == USER_ERROR and "please report" not in text


def test_what_own_code_has_no_part_in_is_ours(mine: Any) -> None:
    error = failure_of(lambda: dict[str, int]()["a"])
    assert own_failure(error) is None and describe_failure(error)[1] == INTERNAL_ERROR
    other = failure_of(lambda: (lambda: None)(1))  # type: ignore[call-arg]
    assert own_failure(other) is None, "a call that does not fit a function of ours"


def test_a_class_that_cannot_be_built_names_its_line(mine: Any) -> None:
    with pytest.raises(UserError) as caught:
        config.build({"_target_": "./mine.py:Rule"})
    assert "ZeroDivisionError: division by zero (mine.py, line 9)" in str(caught.value)
    assert caught.value.key == "stability.rules.mine"

"""The contract's report: a cause once, the checks that it stops as not run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tvo_cli.errors import UserError
from tvo_cli.experiment.contract import algorithm_contract
from tvo_cli.experiment.contract.algorithm_contract import NOT_RUN, Check, broken_checks


def raising(error: Exception) -> Callable[[object], None]:
    def run(one: object) -> None:
        raise error

    return run


def test_a_cause_is_told_once_and_another_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [UserError("weight", "mine.py:w", f"RuntimeError: {n} (mine.py, line 7).") for n in (4, 9)]
    other = UserError("weight", "mine.py:w", "RuntimeError: 4 (mine.py, line 8).")
    errors = [*found, other, ValueError("size 3"), ValueError("size 4"), KeyError("a")]
    checks = tuple(Check(str(i), raising(error)) for i, error in enumerate(errors))
    monkeypatch.setattr(algorithm_contract, "CHECKS", checks)
    told = [trouble.startswith(NOT_RUN) for _, trouble in broken_checks({})]
    assert told == [False, True, False, False, True, False]

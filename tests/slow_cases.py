"""Cases of which a few run among the fast tests and the others in `make test-slow`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def mostly_slow(cases: Iterable[Any], fast: int | Collection[Any]) -> list[Any]:
    """Cases for `pytest.mark.parametrize`: the first so many, or those named, are fast."""
    found = list(cases)
    kept = found[:fast] if isinstance(fast, int) else [case for case in found if case in fast]
    return [case if case in kept else _slow(case) for case in found]


def _slow(case: Any) -> Any:
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=pytest.mark.slow)

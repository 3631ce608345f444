"""The guard over processor time: a fast test that takes too much fails, a slow one may."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest

from tests import time_guard


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run the hook around a test that took some seconds."""

    def run(seconds: float, **keywords: bool) -> None:
        with monkeypatch.context() as patch:  # taken back before this test itself is timed
            patch.setattr(time_guard, "processor_seconds", iter([5.0, 5.0 + seconds]).__next__)
            hook = time_guard.pytest_runtest_call(cast(pytest.Item, SimpleNamespace(keywords=keywords)))
            next(hook)
            next(hook, None)

    return run


def test_only_a_fast_test_over_its_share_fails(timed: Callable[..., None]) -> None:
    timed(time_guard.MOST - 0.1)
    timed(time_guard.MOST + 100, slow=True)
    with pytest.raises(pytest.fail.Exception, match=rf"used {time_guard.MOST + 1:.1f} s of processor time"):
        timed(time_guard.MOST + 1)


def test_processor_time_is_not_waiting() -> None:
    import time

    before = time_guard.processor_seconds()
    time.sleep(0.2)
    slept = time_guard.processor_seconds() - before
    sum(number * number for number in range(2_000_000))
    assert slept < time_guard.processor_seconds() - before - slept

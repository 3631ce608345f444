"""The guard over processor time: a fast test that takes too much fails, a slow one may."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests import processor_time


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch):
    """Run the hook around a test that took some seconds."""

    def run(seconds: float, **keywords: bool) -> None:
        with monkeypatch.context() as patch:  # taken back before this test itself is timed
            patch.setattr(processor_time, "processor_seconds", iter([5.0, 5.0 + seconds]).__next__)
            hook = processor_time.pytest_runtest_call(SimpleNamespace(keywords=keywords))
            next(hook)
            next(hook, None)

    return run


def test_only_a_fast_test_over_its_share_fails(timed) -> None:
    timed(processor_time.MOST - 0.1)
    timed(processor_time.MOST + 100, slow=True)
    with pytest.raises(pytest.fail.Exception, match=rf"used {processor_time.MOST + 1:.1f} s of processor time"):
        timed(processor_time.MOST + 1)


def test_processor_time_is_not_waiting() -> None:
    import time

    before = processor_time.processor_seconds()
    time.sleep(0.2)
    slept = processor_time.processor_seconds() - before
    sum(number * number for number in range(2_000_000))
    assert slept < processor_time.processor_seconds() - before - slept

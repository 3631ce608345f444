"""A guard: a fast test that takes more than its share of processor time fails, whatever else the machine does."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

MOST = float(os.environ.get("TVO_TEST_SECONDS", "20"))  # of a processor; twice that on a machine half as fast
SAYS = "used {seconds:.1f} s of processor time; a fast test has {most:g} (TVO_TEST_SECONDS). Make it smaller, or slow."


def processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    return sum(os.times()[:4])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Time a test's own call; setting up what others share is not its fault."""
    before = processor_seconds()
    yield
    seconds = processor_seconds() - before
    if seconds > MOST and "slow" not in item.keywords:
        pytest.fail(SAYS.format(seconds=seconds, most=MOST), pytrace=False)

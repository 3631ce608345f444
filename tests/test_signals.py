"""A signal that was ignored when the program began stays ignored."""

from __future__ import annotations

import signal

import pytest

from tvo_cli.signals import signals_not_ignored

ALL = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]


@pytest.mark.parametrize("number", ALL)
def test_only_what_was_ignored_is_left_out(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        assert signals_not_ignored(ALL) == [other for other in ALL if other is not number]
    finally:
        signal.signal(number, before)

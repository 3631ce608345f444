"""What is said before anybody listens is said afterwards."""

from __future__ import annotations

import logging

import pytest

from tvo_cli.tracking.buffered_log import HeldLog

log = logging.getLogger("tvo")


def test_messages_wait_until_there_is_a_log(caplog: pytest.LogCaptureFixture) -> None:
    with HeldLog() as held:
        log.info("first")
        log.warning("second")
        assert caplog.messages == []
        held.say()
        assert caplog.messages == ["first", "second"]
        log.warning("third")
    assert caplog.messages == ["first", "second", "third"]


def test_an_error_does_not_swallow_them(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError), HeldLog():
        log.warning("rows were left out")
        raise ValueError
    assert caplog.messages == ["rows were left out"]

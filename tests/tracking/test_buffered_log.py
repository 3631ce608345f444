"""What is said before anybody listens is said afterwards."""

from __future__ import annotations

import logging

import pytest

from tvo_cli.tracking.buffered_log import BufferedLog

log = logging.getLogger("tvo")


def test_messages_wait_until_there_is_a_log(caplog: pytest.LogCaptureFixture) -> None:
    with BufferedLog() as held:
        log.info("first")
        log.warning("second")
        assert caplog.messages == []
        held.say()
        assert caplog.messages == ["first", "second"]
        log.warning("third")
    assert caplog.messages == ["first", "second", "third"]


def test_an_error_does_not_swallow_them(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError), BufferedLog():
        log.warning("rows were left out")
        raise ValueError
    assert caplog.messages == ["rows were left out"]


def test_what_is_said_for_each_split_of_a_file_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    with BufferedLog() as held:
        for rows in (3, 3, 4):
            log.warning("d.jsonl: %d golds are lists", rows)
        held.say()
        log.warning("d.jsonl: 3 golds are lists")
    lists = "d.jsonl: {} golds are lists".format
    assert caplog.messages == [lists(3), lists(4), lists(3)], "what is said during the run is not dropped"


def test_a_buffer_in_a_buffer_passes_on_what_the_outer_one_says_once(caplog: pytest.LogCaptureFixture) -> None:
    with BufferedLog():
        for _ in range(2):
            with BufferedLog():
                log.warning("the file has no line end")
            log.warning("the file has no line end")
        assert not caplog.messages
    assert caplog.messages == ["the file has no line end"]

"""A rank that waits in a call without Python in it ends at the second Ctrl-C all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tvo_cli.training import stop_signals, stuck_rank

STUCK = """
import ctypes
from tvo_cli.training import stuck_rank
from tvo_cli.training.stop_signals import handle_stop_signals
stuck_rank.PATIENCE = 0.2
lock = ctypes.create_string_buffer(64)  # a mutex of C, which waits for itself
with handle_stop_signals():
    print("ready", flush=True)
    ctypes.CDLL(None).pthread_mutex_lock(lock)
    ctypes.CDLL(None).pthread_mutex_lock(lock)
"""
RANK = {"TORCHELASTIC_RUN_ID": "none", "RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"}


@pytest.fixture
def stuck() -> Iterator[subprocess.Popen[str]]:
    """A rank that waits where no signal is handled."""
    environment = os.environ | RANK
    with subprocess.Popen([sys.executable, "-c", STUCK], stdout=-1, stderr=-1, text=True, env=environment) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        yield process
        process.kill()


@pytest.mark.slow
def test_the_second_ctrl_c_ends_a_rank_that_handles_no_signal(stuck: subprocess.Popen[str]) -> None:
    stuck.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert stuck.poll() is None, "the first one asks for a stop"
    stuck.send_signal(signal.SIGTERM)  # as torchrun passes the second one on
    assert stuck.wait(20) == 130
    assert stuck.stderr is not None and stuck_rank.SAID in stuck.stderr.read()


def test_a_rank_that_handles_the_second_one_goes_on_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in RANK.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(stuck_rank, "PATIENCE", 60.0)
    before = signal.set_wakeup_fd(-1)
    with pytest.raises(KeyboardInterrupt), stop_signals.handle_stop_signals(lambda _: None):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)  # a launcher may say it twice
        signal.raise_signal(signal.SIGINT)
    assert signal.set_wakeup_fd(before) == -1, "whoever listened before listens again"

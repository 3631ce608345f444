"""A rank that waits in a call without Python in it ends at the second Ctrl-C all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tvo_cli.tracking.run_status import read_status, status_of
from tvo_cli.training import stop_signals, stuck_rank

STUCK = """
import ctypes, os, sys
from contextlib import nullcontext
from pathlib import Path
from tvo_cli.tracking.run_status import Heartbeat
from tvo_cli.training import stuck_rank
from tvo_cli.training.stop_signals import handle_stop_signals
stuck_rank.PATIENCE = 0.2
lock = ctypes.create_string_buffer(64)  # a mutex of C, which waits for itself
folder = Path(sys.argv[1])
with Heartbeat(folder, "f", "train") if int(os.environ["RANK"]) == 0 else nullcontext(), handle_stop_signals(folder):
    print("ready", flush=True)
    ctypes.CDLL(None).pthread_mutex_lock(lock)
    ctypes.CDLL(None).pthread_mutex_lock(lock)
"""
RANK = {"TORCHELASTIC_RUN_ID": "none", "RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"}


@pytest.fixture(params=[0, 1])
def stuck(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A rank that waits where no signal is handled; the first one has said in state.json that it runs."""
    environment = os.environ | RANK | {"RANK": str(request.param)}
    command = [sys.executable, "-c", STUCK, str(tmp_path)]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True, env=environment) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        yield process
        process.kill()


@pytest.mark.slow
def test_the_second_ctrl_c_ends_a_rank_that_handles_no_signal(stuck: subprocess.Popen[str], tmp_path: Path) -> None:
    running = read_status(tmp_path)
    stuck.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert stuck.poll() is None, "the first one asks for a stop"
    stuck.send_signal(signal.SIGTERM)  # as torchrun passes the second one on
    assert stuck.wait(20) == 130
    assert stuck.stderr is not None and f"tvo: {stuck_rank.REASON}" in stuck.stderr.read()
    end = {"state": "interrupted", "code": 130, "reason": stuck_rank.REASON}
    assert read_status(tmp_path) == (running and {**running, **end, "ended": read_status(tmp_path)["ended"]})
    assert status_of(tmp_path) == (("interrupted", stuck_rank.REASON) if running else ("", ""))


def test_a_rank_that_handles_the_second_one_goes_on_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in RANK.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(stuck_rank, "PATIENCE", 60.0)
    before = signal.set_wakeup_fd(-1)
    with pytest.raises(KeyboardInterrupt), stop_signals.handle_stop_signals(Path(), lambda _: None):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)  # a launcher may say it twice
        signal.raise_signal(signal.SIGINT)
    assert signal.set_wakeup_fd(before) == -1, "whoever listened before listens again"

"""Keys typed while something is drawn: they leave it whole, and the terminal gets its echo back."""

from __future__ import annotations

import os
import pty
import signal
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LIMIT = 120.0

PANEL = """
import sys, time
from pathlib import Path
from tvo_cli import standard_streams
from tvo_cli.tracking.terminal.console import LiveConsoleDisplay, ConsoleRunProgress
from tvo_cli.tracking.mirrors.mirror import RunInfo
from tvo_cli.training.stop_signals import handle_stop_signals

with standard_streams.guarded_streams():
    standard_streams.treat_stdout_as_view()
    live = LiveConsoleDisplay()
    progress = ConsoleRunProgress(RunInfo("a", "tvo", "tiny", "arithmetic", 9, Path("runs/a"), {}))
    progress.start()
    live.start(progress)
    with handle_stop_signals(Path(), live.announce) as asked:
        progress.add(1, {"reward/mean": 0.5, "time/step": 1.0})
        live.step(progress)
        while not asked.is_set():
            time.sleep(0.01)
        time.sleep(0.6)  # the update under way: two refreshes
    live.close()
    print("THE END")
"""
KEYS = """
import os, sys, termios
from tvo_cli.tracking.terminal.terminal_echo import without_echo
os.setpgid(0, 0) if "background" in sys.argv else None
with without_echo(sys.stdout):
    print("ECHO" if termios.tcgetattr(1)[3] & termios.ECHO else "SILENT", flush=True)
    if "raises" in sys.argv: raise SystemExit(0)
"""


PENDING = """
import signal, sys, time
from pathlib import Path
from tvo_cli.tracking.terminal.terminal_echo import without_echo
heard = []
signal.signal(signal.SIGINT, lambda *_: heard.append(1))
with without_echo(sys.stdout):
    print("x" * 8000, flush=True)
    Path(sys.argv[1]).touch()
    while not heard: time.sleep(0.01)
    print("HEARD", flush=True)
"""


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, program: str, *words: str) -> None:
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:  # pragma: no cover
            more = {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "90", "LINES": "30"}
            os.execve(sys.executable, [sys.executable, "-c", program, *words], {**os.environ, **more})
        self.shown = b""

    def until(self, wanted: bytes) -> None:
        end = time.monotonic() + LIMIT
        while wanted not in self.shown:
            assert time.monotonic() < end, self.shown
            try:
                self.shown += os.read(self.terminal, 4096)
            except OSError as error:
                raise AssertionError(self.shown) from error

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.terminal)[3] & termios.ECHO)

    def ended(self) -> int:
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            if found:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.05)
        raise AssertionError("it did not end")

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.terminal)


@pytest.fixture
def start() -> Iterator[type[Terminal]]:
    made: list[Terminal] = []

    def begin(*words: str) -> Terminal:
        made.append(Terminal(*words))
        return made[-1]

    yield begin  # type: ignore[misc]
    for terminal in made:
        terminal.close()


@pytest.mark.slow
def test_keys_and_ctrl_c_leave_the_panel_whole(start: type[Terminal]) -> None:
    shell = start(PANEL)
    shell.until(b"step 1/9")
    os.write(shell.terminal, b"\r\rkeys\x03")
    shell.until(b"stopping after this update")
    shell.until(b"THE END")
    assert shell.ended() == 0 and shell.echoes()
    assert b"^C" not in shell.shown and b"keys" not in shell.shown
    panels = shell.shown.decode().split("╭")[1:]
    assert all("╰" in drawn for drawn in panels), "a panel was torn"
    outside = "".join(drawn.partition("╯")[2] for drawn in panels)
    assert "stopping" not in outside and "stopping" not in panels[-1] and outside.count("THE END") == 1


def test_ctrl_c_discards_nothing_that_is_yet_to_be_shown(start: type[Terminal], tmp_path: Path) -> None:
    shell, written = start(PENDING, str(tmp_path / "written")), tmp_path / "written"
    while not written.exists():
        time.sleep(0.01)
    os.write(shell.terminal, b"\x03")
    shell.until(b"HEARD")
    assert shell.shown.count(b"x") == 8000


@pytest.mark.parametrize("how", ["ends", "raises"])
def test_the_echo_comes_back(start: type[Terminal], how: str) -> None:
    shell = start(KEYS, how)
    shell.until(b"SILENT")
    assert shell.ended() == 0 and shell.echoes()


def test_a_job_in_the_background_leaves_the_shells_terminal_alone_and_is_not_stopped(start: type[Terminal]) -> None:
    forks = "import os, sys\nif os.fork(): os.waitpid(-1, 0); raise SystemExit(0)\n"
    shell = start(forks + KEYS, "background")
    shell.until(b"ECHO")
    assert shell.ended() == 0 and shell.echoes()

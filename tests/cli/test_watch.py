"""`tvo watch` from the shell: it says where it is, answers, and ends by Ctrl-C; a taken port is one line."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tvo_cli.cli import watch
from tvo_cli.cli.main import main
from tvo_cli.watch.server import WatchServer


def test_a_file_is_no_folder_in_which_runs_show_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(WatchServer, "serve_forever", lambda _: None)
    (tmp_path / "log.csv").write_text("")
    assert main(["watch", str(tmp_path / "log.csv"), "--port", "0", "--no-open"]) == 2
    assert "log.csv: is a file. Name the folder that it is in" in capsys.readouterr().err
    assert main(["watch", str(tmp_path / "later"), "--port", "0", "--no-open"]) == 0


def test_a_taken_port_is_one_line_and_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert main(["watch", str(tmp_path), "--no-open", "--port", str(port)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert f"--port={port}: another program listens there" in line and "--port 0" in line


@pytest.mark.parametrize(
    ("there", "opens"), [({}, False), ({"DISPLAY": ":0"}, True), ({"DISPLAY": ":0", "SSH_CONNECTION": "a b"}, False)]
)
def test_a_browser_is_opened_on_a_screen_of_ones_own_only(
    monkeypatch: pytest.MonkeyPatch, there: dict[str, str], opens: bool
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION", "SSH_TTY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    for name, value in there.items():
        monkeypatch.setenv(name, value)
    assert watch._can_open_browser() == opens


@pytest.mark.slow
def test_it_says_where_it_is_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tvo_cli", "watch", str(tmp_path / "later"), "--port", "0", "--no-open"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        address = re.match(r"http://127\.0\.0\.1:\d+/", said)
        assert address is not None and "not there yet" in said
        with urllib.request.urlopen(address.group() + "runs", timeout=30) as reply:
            assert b'"runs":[]' in reply.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0 and process.stderr is not None and process.stderr.read() == ""

"""What becomes of the console neither ends nor hangs a run; where the output is the product, a loss is an error."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.consoles import LIMIT, ROOT, TVO, environment, full, on_a_terminal, read_until, shell
from tests.slow_cases import mostly_slow

SPACE = "No space left on device"
# a run without a model: it prints, warns, draws a bar, writes its folder, and says what became of its console
VIEW = """
import logging, subprocess, sys, warnings
from pathlib import Path
from tvo_cli import standard_streams
from tvo_cli.tracking import run_log

standard_streams.PATIENCE = 0.2
with standard_streams.guarded_streams():
    standard_streams.treat_stdout_as_view()
    handler = run_log.open_run_log(Path("run.log"))
    for step in range(int(sys.argv[1])):
        print("step", step, "… → ν 你 \\udce9", flush=True)
    sys.stdout.buffer.write(b"bytes")
    warnings.warn("a library warns")
    logging.getLogger("library").error("a library logs")
    standard_streams.write_to_stderr("a signal came")
    if "alone" not in sys.argv:
        subprocess.run(["sh", "-c", "echo child; echo child >&2"])
    from rich.console import Console
    Console(stderr=True).print("[bold]rich[/]", "█" * 50)
    Path("kept.txt").write_text("whole")
    run_log.close_run_log(handler)
"""


@pytest.fixture
def view(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    (tmp_path / "view.py").write_text(VIEW)
    return lambda line, **more: shell(tmp_path, line.replace("VIEW", f"{sys.executable} view.py 200"), **more)


def is_whole(place: Path) -> bool:
    return (place / "kept.txt").read_text() == "whole"


STATES = [
    ("VIEW >&-", {}, "standard output was closed when the program began"),
    ("VIEW 2>&-", {}, "standard error was closed when the program began"),
    ("VIEW <&- >&- 2>&-", {}, "standard error was closed when the program began"),
    pytest.param("VIEW >/dev/full", {}, f"standard output is lost ({SPACE}); the run goes on", marks=full),
    pytest.param("VIEW >/dev/full 2>&1", {}, f"standard error is lost ({SPACE}); the run goes on", marks=full),
    ("VIEW | head -1", {}, "standard output is lost (Broken pipe); the run goes on without it"),
    ("VIEW 2>&1 | head -1", {"PYTHONUNBUFFERED": "1"}, "standard error is lost (Broken pipe)"),
    ("VIEW", {"PYTHONIOENCODING": "ascii"}, "the console takes ascii"),
    ("VIEW", {"PYTHONIOENCODING": "latin-1:strict"}, "the console takes latin-1"),
    ("VIEW", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "the console takes ascii"),
]


@pytest.mark.parametrize(("line", "more", "noted"), mostly_slow(STATES, 5), ids=lambda value: str(value)[:40])
def test_no_state_of_the_streams_ends_a_run_and_the_log_says_what_became_of_them(
    view: Callable[..., subprocess.CompletedProcess[bytes]],
    tmp_path: Path,
    line: str,
    more: dict[str, str],
    noted: str,
) -> None:
    done = view(line, **more)
    assert done.returncode == 0 and is_whole(tmp_path)
    log = (tmp_path / "run.log").read_text()
    assert log.count(noted) == 1 and "a library logs" in log
    assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr
    if "|" in line and "2>" not in line:
        assert done.stderr.count(b"tvo: standard output is lost (Broken pipe)") == 1, "the prompt does not come back"


@pytest.mark.slow
def test_what_an_encoding_lacks_is_shown_by_its_nearest_or_its_number(
    view: Callable[..., subprocess.CompletedProcess[bytes]],
) -> None:
    shown = view("VIEW", PYTHONIOENCODING="ascii")
    assert shown.stdout.splitlines()[0] == rb"step 0 ... -> nu \u4f60 \udce9"
    shown = view("VIEW", PYTHONIOENCODING="utf-8")
    assert shown.stdout.splitlines()[0] == "step 0 … → ν 你 ".encode() + rb"\udce9"


def test_a_closed_descriptor_is_taken_by_no_file_of_the_run(tmp_path: Path) -> None:
    """What C code writes to number 2 would else go into the first file that the run opens."""
    program = (
        "import os; from tvo_cli import standard_streams\n"
        "with standard_streams.guarded_streams():\n"
        "    kept = open('kept.txt', 'w'); os.write(2, b'from C'); os.write(1, b'from C'); kept.write('whole')"
    )
    (tmp_path / "program.py").write_text(program)
    done = shell(tmp_path, f"{sys.executable} program.py <&- >&- 2>&-")
    assert done.returncode == 0 and is_whole(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True], ids=["blocking", "made non-blocking by another process"])
def test_a_reader_that_takes_nothing_holds_nobody_up(tmp_path: Path, shared: bool) -> None:
    (tmp_path / "view.py").write_text(VIEW)
    reader, writer = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, not shared)
    began = subprocess.Popen(
        [sys.executable, "view.py", "5000", "alone"],
        cwd=tmp_path,
        env=environment(),
        stdout=writer,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert began.wait(LIMIT) == 0 and is_whole(tmp_path)
    finally:
        began.kill()
        began.wait()
        os.close(writer)
        os.close(reader)
    assert "standard output has taken nothing for 0.2 s" in (tmp_path / "run.log").read_text()


@pytest.mark.slow
def test_a_terminal_that_stands_still_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "view.py").write_text(VIEW)

    def stand_still(pid: int, terminal: int) -> bytes:
        return b""  # nobody reads: a terminal takes some thousand characters and no more

    code, _ = on_a_terminal(tmp_path, ["view.py", "20000", "alone"], stand_still)
    assert code == 0 and is_whole(tmp_path)
    assert "has taken nothing for 0.2 s" in (tmp_path / "run.log").read_text()


def test_a_lost_terminal_ends_no_run(tmp_path: Path) -> None:
    go = int(signal.SIGUSR1)
    before = f"import signal; signal.signal(1, signal.SIG_IGN); signal.pthread_sigmask(signal.SIG_BLOCK, {{{go}}})\n"
    until = f"print('ready', flush=True); signal.sigwait({{{go}}})\n    "
    (tmp_path / "view.py").write_text(before + VIEW.replace("for step", f"{until}for step"))

    def hang_up(pid: int, terminal: int) -> bytes:
        shown = read_until(terminal, b"ready")
        os.close(terminal)
        os.kill(pid, go)
        return shown

    code, _ = on_a_terminal(tmp_path, ["view.py", "200"], hang_up)
    assert code == 0 and is_whole(tmp_path)
    assert "standard output is lost (Input/output error)" in (tmp_path / "run.log").read_text()


@pytest.mark.slow
def test_a_terminal_that_stops_jobs_in_the_background_stops_no_run(tmp_path: Path) -> None:
    before = """
import os, sys, termios
settings = termios.tcgetattr(1)
settings[3] |= termios.TOSTOP
termios.tcsetattr(1, termios.TCSANOW, settings)
job = os.fork()
if job:
    _, status = os.waitpid(job, os.WUNTRACED)
    os.WIFSTOPPED(status) and os.kill(job, 9)
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1)
os.setpgid(0, 0)
"""
    (tmp_path / "view.py").write_text(before + VIEW)
    code, _ = on_a_terminal(tmp_path, ["view.py", "3", "alone"], lambda pid, terminal: b"")
    assert code == 0 and is_whole(tmp_path)
    assert "stty tostop" in (tmp_path / "run.log").read_text()


@pytest.mark.slow
def test_a_locale_that_cannot_name_the_folder_ends_no_run(tmp_path: Path) -> None:
    """Python reads the bytes of such a name as surrogates, which no UTF-8 file takes as they are."""
    place = tmp_path / "größe"
    place.mkdir()
    program = ROOT / "tests" / "sweep" / "program.py"  # a run without a model
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = shell(place, f"{sys.executable} {program} train logger=none output_dir=run", **ascii_only)
    assert done.returncode == 0, done.stderr
    assert json.loads((place / "run" / "state.json").read_text())["state"] == "finished"
    assert len((place / "run" / "metrics.jsonl").read_text().splitlines()) == 3


PRODUCTS = [
    pytest.param("list >/dev/full", 2, SPACE, marks=full),
    pytest.param("--help >/dev/full", 2, SPACE, marks=[full, pytest.mark.slow]),
    pytest.param("ls . --format json >/dev/full", 2, SPACE, marks=[full, pytest.mark.slow]),
    pytest.param("train --cfg job >/dev/full", 2, SPACE, marks=[full, pytest.mark.slow]),
    pytest.param("grade rows.jsonl >/dev/full", 2, SPACE, marks=full),
    pytest.param("list 2>/dev/full", 0, "", marks=[full, pytest.mark.slow]),
    ("list >&-", 2, "standard output: closed"),
    ("grade - <&-", 2, "standard input is closed"),
    ("list algorithms | head -1", 0, ""),
    pytest.param("grade rows.jsonl | head -1", 0, "", marks=pytest.mark.slow),
    pytest.param("ls . | true", 0, "", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("line", "code", "said"), PRODUCTS)
def test_where_the_output_is_the_product_a_loss_is_an_error_and_a_reader_may_leave(
    tmp_path: Path, line: str, code: int, said: str
) -> None:
    row = {"gold": "5", "prediction": "\\boxed{5}", "note": "x" * 200}
    (tmp_path / "rows.jsonl").write_text((json.dumps(row) + "\n") * 2000)
    done = shell(tmp_path, f"{TVO} {line}")
    assert done.returncode == code, done.stderr
    assert said.encode() in done.stderr and b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr
    assert done.stderr.count(b"\n") == (1 if said else done.stderr.count(b" rows"))


@pytest.mark.slow
@full
def test_what_is_said_after_the_command_does_not_change_its_exit_code(tmp_path: Path) -> None:
    program = "import atexit; from tvo_cli.cli.main import run; atexit.register(print, 'bye ν'); run()"
    (tmp_path / "program.py").write_text(program)
    done = shell(tmp_path, f"{sys.executable} program.py grade none.jsonl >/dev/full", PYTHONIOENCODING="ascii")
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_list_is_whole_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    done = shell(tmp_path, f"{TVO} list algorithms", PYTHONIOENCODING=encoding, COLUMNS="40", TERM="dumb")
    assert done.returncode == 0 and done.stderr == b""
    assert "grpo" in done.stdout.decode(encoding)


def test_an_account_without_a_name_a_home_or_caches_has_stand_ins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import getpass
    import pwd

    from tvo_cli import standard_streams
    from tvo_cli.cli import user_account

    def unknown(*_: object) -> None:
        raise KeyError("uid not found")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", *user_account.NAMES):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with standard_streams.guarded_streams():  # which forgets at its end what was noted
        user_account.complete_user_account()
    assert Path.home() == Path(user_account.NO_HOME) and getpass.getuser() == f"uid-{os.getuid()}"
    assert "TORCHINDUCTOR_CACHE_DIR" not in os.environ

"""Real runs on consoles in any state: the smallest run ends well, and says what became of its console."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.consoles import TVO, full, on_a_terminal, read_until, shell

SMALLEST = (
    "train rollout=small rollout.prompts=2 rollout.samples=2 rollout.epochs=1 rollout.minibatches=1 trainer.steps=2 "
    "trainer.threads=1 evaluation=off recorder=off logger=none output_dir=run"
)


def finished(place: Path) -> bool:
    rows = [json.loads(line) for line in (place / "run" / "metrics.jsonl").read_text().splitlines()]
    state = json.loads((place / "run" / "state.json").read_text())["state"]
    return [row["step"] for row in rows] == [1, 2] and state == "finished" and (place / "run" / "card.txt").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "more"),
    [
        ("| head -1", {"PYTHONIOENCODING": "ascii"}),
        pytest.param("<&- >&- 2>&-", {}, marks=pytest.mark.slow),
        pytest.param(">/dev/full 2>/dev/full", {}, marks=[pytest.mark.slow, full]),
        pytest.param("", {"PYTHONIOENCODING": "ascii", "TERM": "dumb", "NO_COLOR": "1"}, marks=pytest.mark.slow),
        pytest.param("logger.console=live", {"COLUMNS": "40", "LC_ALL": "C"}, marks=pytest.mark.slow),
    ],
)
def test_training_ends_well_whatever_the_console(tmp_path: Path, line: str, more: dict[str, str]) -> None:
    done = shell(tmp_path, f"{TVO} {SMALLEST} {line}", **more)
    assert done.returncode == 0, done.stderr
    assert finished(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("style", ["live", "plain"])
def test_training_outlives_its_terminal(tmp_path: Path, style: str) -> None:
    ignored = (
        "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); from tvo_cli.cli.main import run; run()"
    )
    words = ["-c", ignored, *SMALLEST.split(), f"logger.console={style}", "trainer.steps=2"]

    def hang_up(pid: int, terminal: int) -> bytes:
        shown = read_until(terminal, b"step")
        os.close(terminal)
        return shown

    code, shown = on_a_terminal(tmp_path, words, hang_up, TERM="xterm", COLUMNS="80")
    assert code == 0, shown
    assert finished(tmp_path)
    assert "is lost (Input/output error); the run goes on" in (tmp_path / "run" / "run.log").read_text()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach and write to; pytest's own are for one user."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o777)
        yield Path(made)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="takes another user's number, which only root can")
def test_training_as_a_user_whom_nobody_knows(open_folder: Path) -> None:
    """The rights to read are kept, for this Python may lie in root's home; those to write are not."""
    rights = "--inh-caps +dac_read_search --ambient-caps +dac_read_search"
    become = f"setpriv --reuid 54321 --regid 54321 --clear-groups {rights}"
    if shell(open_folder, f"{become} true").returncode:
        pytest.skip("setpriv cannot keep the rights to read here")
    caches = "MPLCONFIGDIR=/proc/none HF_HOME=/proc/none TORCHINDUCTOR_CACHE_DIR=/proc/none"
    named = SMALLEST.replace("logger=none", "logger=wandb")
    line = f"env -u HOME -u USER -u LOGNAME {caches} WANDB_MODE=offline {become} {TVO} {named}"
    done = shell(open_folder, line)
    assert done.returncode == 0, done.stderr
    assert finished(open_folder) and list((open_folder / "run" / "wandb").glob("offline-run-*"))
    assert b"failed and is off" not in done.stdout + done.stderr and not (open_folder / "~").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param("eval --limit 2 logger=none output_dir=run >/dev/full", 2, marks=full),
        ("eval --limit 2 logger=none output_dir=run | true", 0),
        ("eval --limit 2 logger=none output_dir=run >&- 2>&-", 2),
        pytest.param("sft dataset=addition steps=2 problems=2 samples=1 output_dir=run >/dev/full", 0, marks=full),
    ],
)
def test_the_folder_is_finished_and_the_code_tells_of_a_table_that_was_asked_for(
    tmp_path: Path, line: str, code: int
) -> None:
    done = shell(tmp_path, f"{TVO} {line}")
    assert done.returncode == code, done.stderr
    assert json.loads((tmp_path / "run" / "state.json").read_text())["state"] == "finished"
    assert b"Traceback" not in done.stderr and done.stderr.count(b"standard output") <= 1

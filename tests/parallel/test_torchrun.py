"""End to end: `torchrun … -m tvo_cli train` on this machine, as a user starts it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.parallel.conftest import EXACT, assert_bit_equal, rows_of, tensors_of

pytestmark = pytest.mark.slow
SMALL = ("logger=none", "logger.console=plain", "evaluation=off", "trainer.threads=1", *EXACT, "trainer.steps=6")
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
REPLICATE = "parallel=replicate"
PATIENCE = 240.0  # seconds, of a machine that has other things to do


def started(folder: Path, *words: str, launcher: tuple[str, ...] = TORCHRUN) -> subprocess.Popen[str]:
    """A run under way, in a process group of its own, as a shell gives it; what it says is in `said`."""
    command = [*launcher, "-m", "tvo_cli", "train", *SMALL, *words, f"output_dir={folder}"]
    with said(folder).open("w") as errors:
        return subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            text=True,
            start_new_session=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )


def said(folder: Path) -> Path:
    """The stderr of the last run in a folder."""
    return folder.with_name(f"{folder.name}-stderr.txt")


def ran(folder: Path, *words: str, launcher: tuple[str, ...] = TORCHRUN) -> int:
    """The exit code of a whole run."""
    return started(folder, *words, launcher=launcher).wait(PATIENCE)


def wait_for(what: Callable[[], Any], process: subprocess.Popen[str]) -> Any:
    """The first answer that is something."""
    end = time.monotonic() + PATIENCE
    while not (found := what()):
        assert process.poll() is None, "the run ended before"
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def rows_so_far(folder: Path) -> list[str]:
    """The lines of metrics.jsonl."""
    path = folder / "metrics.jsonl"
    return path.read_text().splitlines() if path.is_file() else []


def processes_of_ranks(launcher: subprocess.Popen[str]) -> dict[int, int]:
    """Rank → process id, of the children of a torchrun."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    environments = {int(pid): Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") for pid in children}
    ranks = {pid: [int(one[5:]) for one in found if one.startswith(b"RANK=")] for pid, found in environments.items()}
    return {rank: pid for pid, found in ranks.items() for rank in found}


def state_of(folder: Path) -> dict[str, Any]:
    """state.json."""
    found: dict[str, Any] = json.loads((folder / "state.json").read_text())
    return found


def tvo_lines(folder: Path) -> list[str]:
    """What we said ourselves on stderr besides that a signal has come, which torchrun sends when a rank has ended."""
    lines = [line for line in said(folder).read_text().splitlines() if line.startswith("tvo: ")]
    return [line for line in lines if not line.startswith("tvo: stopping after")]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two ranks that nothing happened to."""
    folder = tmp_path_factory.mktemp("torchrun") / "undisturbed"
    assert ran(folder, REPLICATE) == 0
    return folder


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A run of two ranks that has done a step, with a checkpoint."""
    folder = tmp_path / "run"
    process = started(folder, REPLICATE, "trainer.checkpoint_every=1")
    try:
        wait_for(lambda: rows_so_far(folder), process)
        yield folder, process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def assert_goes_on(folder: Path, undisturbed: Path) -> None:
    """The same command ends where the run would have ended."""
    assert ran(folder, REPLICATE, "trainer.checkpoint_every=1") == 0
    assert rows_of(folder) == rows_of(undisturbed)
    assert_bit_equal(tensors_of(folder), tensors_of(undisturbed))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), "tvo: parallel=single: 2 processes were started. Take parallel=replicate or parallel=shard."),
        ((REPLICATE, "parallel.offload=true"), "tvo: parallel.offload=True: is not read under parallel=replicate."),
        ((REPLICATE, "model.path=/no/such/model"), "tvo: model.path=/no/such/model: "),
        (("-m", REPLICATE, "seed=1,2"), "tvo: option=-m: a sweep starts its jobs itself"),
    ],
)
def test_what_is_refused_is_one_line_and_leaves_no_folder(tmp_path: Path, words: tuple[str, ...], line: str) -> None:
    folder = tmp_path / "refused"
    assert ran(folder, *words) == 1  # torchrun's, whatever the ranks return
    [found] = tvo_lines(folder)
    assert found.startswith(line)
    assert "exitcode  : 2" in said(folder).read_text()
    assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGINT], ids=["a signal to one rank", "Ctrl-C"])
def test_a_stop_saves_on_both_and_goes_on(
    running: tuple[Path, subprocess.Popen[str]], undisturbed: Path, number: signal.Signals
) -> None:
    folder, process = running
    if number == signal.SIGUSR1:
        os.kill(processes_of_ranks(process)[1], number)
        assert process.wait(PATIENCE) == 0
    else:
        os.killpg(process.pid, number)  # a terminal signals the whole group in front; torchrun passes it on
        process.wait(PATIENCE)
    assert state_of(folder)["state"] == "interrupted"
    assert state_of(folder)["code"] == 75
    assert len(rows_so_far(folder)) < 6
    assert_goes_on(folder, undisturbed)


def test_a_rank_that_is_killed_is_named_and_the_run_goes_on(
    running: tuple[Path, subprocess.Popen[str]], undisturbed: Path
) -> None:
    folder, process = running
    os.kill(processes_of_ranks(process)[1], signal.SIGKILL)
    begun = time.monotonic()
    process.wait(PATIENCE)
    assert time.monotonic() - begun < 20
    [line] = tvo_lines(folder)
    assert re.match(
        r"tvo: rank=1: was killed during update \d+ of step \d+ \([a-z ]+\); out of memory, perhaps\.", line
    )
    assert state_of(folder)["state"] == "failed"
    assert_goes_on(folder, undisturbed)


def test_one_process_goes_on_with_what_two_ranks_began(running: tuple[Path, subprocess.Popen[str]]) -> None:
    folder, process = running
    os.kill(processes_of_ranks(process)[0], signal.SIGUSR1)
    assert process.wait(PATIENCE) == 0
    assert ran(folder, launcher=(sys.executable,)) == 0
    assert len(rows_so_far(folder)) == 6
    assert "continuing on 1 ranks what 2 began: the same run, not the same bits" in (folder / "run.log").read_text()

"""Mirrors after kill -9: the union of what all processes sent has every row of metrics.jsonl once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tvo_cli.tracking import Tracker, metrics_file
from tvo_cli.tracking.mirrors import wandb_file
from tvo_cli.tracking.mirrors.mirror import FailSafeMirror, MirrorRowKey, mirrored_row_keys
from tvo_cli.tracking.mirrors.mirror_choice import mirrors_of_logger
from tvo_cli.tracking.mirrors.tensorboard_mirror import TensorboardMirror

LAST, EVERY = 6, 2  # steps; an evaluation before the first and after every second


def run(config: Any, folder: Path, since: int | None = None, after: Callable[[int], None] = lambda step: None) -> None:
    """The rows of a run that starts anew, or goes on from the checkpoint of a step."""
    with Tracker(config, folder) as tracker:
        if since is None:
            tracker.log_evaluation(0, {"eval/pass@1": 0.25})
        else:
            tracker.rewind(since)
        for step in range((since or 0) + 1, LAST + 1):
            tracker.log(step, {"reward/mean": step / 8, "policy/tv": 0.1})
            if step % EVERY == 0:
                tracker.log_evaluation(step, {"eval/pass@1": 0.5})
            after(step)


def truth(folder: Path) -> list[MirrorRowKey]:
    rows = metrics_file.read_metrics(folder / "metrics.jsonl")
    return sorted(MirrorRowKey(row["step"], metrics_file.is_evaluation_row(row)) for row in rows)


def assert_each_row_once(found: Iterable[MirrorRowKey], folder: Path) -> None:
    """Every row of metrics.jsonl once, which are all of the run."""
    expected = [(step, False) for step in range(1, LAST + 1)] + [(step, True) for step in range(0, LAST + 1, EVERY)]
    assert sorted(found) == truth(folder) == sorted(expected)


def saved(folder: Path) -> int:
    """The newest step that a checkpoint could be of: with its evaluation, if it has one."""
    rows = truth(folder)
    return max((step for step, kind in rows if not kind and (step % EVERY or (step, True) in rows)), default=0)


class Killed(BaseException):
    """Stands for kill -9: nothing after it is done, and no handler of the product sees it."""


class Sent:
    """A stand-in for a mirror that holds what reached it, dies at an instant, and loses what it had in a buffer."""

    def __init__(self, dies_at: int = -1, *, before: bool = False, buffer: int = 0) -> None:
        self.rows: list[MirrorRowKey] = []
        self.instant, self.dies_at, self.before, self.buffer = 0, dies_at, before, buffer

    def start(self, run: object) -> None: ...

    def held(self) -> set[MirrorRowKey]:
        return set(self.rows)

    def log(self, step: int, found: dict[str, float]) -> None:
        self.instant += 1
        if self.instant == self.dies_at and self.before:
            raise Killed
        self.rows += mirrored_row_keys(step, found)
        if self.instant == self.dies_at:
            del self.rows[len(self.rows) - self.buffer :]
            raise Killed

    def finish(self, summary: object, exit_code: int) -> None: ...


@pytest.mark.parametrize("behind", [0, 3])
@pytest.mark.parametrize(("before", "buffer"), [(True, 0), (False, 0), (False, 2)])
def test_every_instant_of_a_kill(
    tmp_path: Path,
    make_config: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    before: bool,
    buffer: int,
    behind: int,
) -> None:
    """Before a row is sent, after it, and after it with rows still in a buffer; the checkpoint `behind` steps."""
    for instant in range(1, LAST + LAST // EVERY + 2):
        mirror, folder = Sent(instant, before=before, buffer=buffer), tmp_path / str(instant)
        monkeypatch.setattr(
            "tvo_cli.tracking.tracker.mirrors_of_logger", lambda node, mirror=mirror: [FailSafeMirror(mirror, "x")]
        )
        with pytest.raises(Killed):
            run(make_config(), folder)
        checkpoint = saved(folder) - behind
        run(make_config(), folder, checkpoint if checkpoint > 0 else None)
        assert_each_row_once(mirror.rows, folder)


def test_rows_of_a_time_without_a_mirror_are_sent_when_there_is_one(
    tmp_path: Path, make_config: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(make_config(), tmp_path)
    mirror = Sent()
    monkeypatch.setattr("tvo_cli.tracking.tracker.mirrors_of_logger", lambda node: [FailSafeMirror(mirror, "x")])  # type: ignore[arg-type]
    run(make_config(), tmp_path, since=LAST)
    assert_each_row_once(mirror.rows, tmp_path)


def in_a_child(act: Callable[[], None]) -> None:
    """Fork, act, and see that a kill -9 was the end."""
    pid = os.fork()
    if pid == 0:
        try:
            act()
        finally:
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL


def kill_at(wanted: int) -> Callable[[int], None]:
    return lambda step: os.kill(os.getpid(), signal.SIGKILL) if step == wanted else None


def tensorboard_rows(folder: Path) -> list[MirrorRowKey]:
    """As TensorBoard's own loader reads the event files."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    events = [e for p in folder.glob("tensorboard/events.*") for e in EventFileLoader(str(p)).Load()]
    numbers = [(event.step, value.tag) for event in events for value in event.summary.value if is_number(value)]
    tags = {step: {tag for at, tag in numbers if at == step} for step, _ in numbers}
    assert len(numbers) == sum(map(len, tags.values())), "a number was sent twice"
    return [key for step, names in tags.items() for key in mirrored_row_keys(step, names)]


def is_number(value: Any) -> bool:
    """Not the config and the command, which every process sends as texts."""
    return bool(value.metadata.plugin_data.plugin_name != "text")


@pytest.mark.parametrize("instant", [1, 4])
@pytest.mark.parametrize("unsent", [False, True], ids=["sent", "not yet sent"])
def test_tensorboard(tmp_path: Path, make_config: Callable[..., Any], instant: int, unsent: bool) -> None:
    pytest.importorskip("tensorboard")
    config = make_config(name="tensorboard")

    def dying() -> None:
        if unsent:
            log = TensorboardMirror.log
            kill = kill_at(instant)
            TensorboardMirror.log = lambda *args: (kill(args[1]), log(*args))[1]  # type: ignore[method-assign]
        run(config, tmp_path, after=kill_at(instant))

    in_a_child(dying)
    run(config, tmp_path, since=instant - 1 or None)
    assert_each_row_once(tensorboard_rows(tmp_path), tmp_path)


def test_a_torn_event_file_holds_what_is_whole(tmp_path: Path, make_config: Callable[..., Any]) -> None:
    pytest.importorskip("tensorboard")
    config = make_config(name="tensorboard")
    run(config, tmp_path)
    [file] = tmp_path.glob("tensorboard/events.*")
    file.write_bytes(file.read_bytes()[:-20])
    run(config, tmp_path, since=LAST)
    assert_each_row_once(tensorboard_rows(tmp_path), tmp_path)


CHILD = """
import os, signal, sys, time
from pathlib import Path
from omegaconf import OmegaConf
from tests.tracking.test_mirror_after_kill import offline_files, run
from tvo_cli.tracking.mirrors import wandb_file
config, folder, flushed, last = OmegaConf.create(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])

def after(step):
    if step == flushed:
        until = time.monotonic() + 60
        while not any(map(wandb_file.rows_in_wandb_file, offline_files(folder))) and time.monotonic() < until:
            time.sleep(0.01)
    if step == last:
        os.kill(os.getpid(), signal.SIGKILL)

run(config, folder, after=after)
"""


def offline_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("wandb/offline-run-*/run-*.wandb"))


def wandb_rows(folder: Path) -> Counter[MirrorRowKey]:
    """Once the service has written all: at the end of a process it does so by itself."""
    import wandb

    wandb.teardown()
    return sum((Counter(wandb_file.rows_in_wandb_file(path)) for path in offline_files(folder)), Counter())


@pytest.mark.parametrize(
    ("flushed", "last"),
    [(3, 4), (0, 1), (0, 5)],
)
@pytest.mark.slow
def test_wandb_offline(
    tmp_path: Path, make_config: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, flushed: int, last: int
) -> None:
    """Killed when some rows have reached the file and others wait in the service; its own process, as a run has."""
    from omegaconf import OmegaConf

    config = make_config(name="wandb", project="p", mode="offline")
    monkeypatch.setenv("WANDB_X_TRANSACTION_LOG_FLUSH_INTERVAL", "0.2" if flushed else "60")
    words = [OmegaConf.to_yaml(config), str(tmp_path), str(flushed), str(last)]
    done = subprocess.run([sys.executable, "-c", CHILD, *words], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -signal.SIGKILL
    before = wandb_rows(tmp_path)
    assert set(before) < set(truth(tmp_path)) or not flushed
    run(config, tmp_path, since=last - 1 or None)
    found = wandb_rows(tmp_path)
    assert set(found.values()) == {1}
    assert_each_row_once(found, tmp_path)
    if flushed and not before:
        pytest.skip("this release of wandb keeps its rows until it closes: the kill fell before the first")
    assert bool(before) == bool(flushed) and len(before) < len(found), "the kill fell where it was meant to"


@pytest.fixture(scope="module")
def whole_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A .wandb file of more than a block, as wandb writes it."""
    import wandb

    folder = tmp_path_factory.mktemp("whole")
    settings = wandb.Settings(silent=True, console="off", x_disable_stats=True)
    with wandb.init(project="p", id="one", dir=str(folder), mode="offline", settings=settings) as made:
        for step in range(1, 61):
            made.log({"step": step, "reward/mean": 0.5, "long/text": "x" * 1000}, step=step)
            made.log({"step": step, "eval/pass@1": 0.5}, step=step)
    wandb.teardown()
    [path] = offline_files(folder)
    return path.read_bytes()


@pytest.mark.slow
def test_a_torn_wandb_file_holds_what_is_whole(whole_file: bytes, tmp_path: Path) -> None:
    """Cut anywhere, steps and evaluations up to the tear; a flipped byte ends it as a cut does."""
    place = tmp_path / "run-one.wandb"

    def held(content: bytes) -> set[MirrorRowKey]:
        place.write_bytes(content)
        return wandb_file.rows_in_wandb_file(place)

    everything = {MirrorRowKey(step, kind) for step in range(1, 61) for kind in (True, False)}
    assert len(whole_file) > 2 * wandb_file.BLOCK and held(whole_file) == everything
    sizes = [len(held(whole_file[:at])) for at in (*range(9), *range(9, len(whole_file), 997), len(whole_file))]
    assert sizes[:9] == [0] * 9 and sizes == sorted(sizes) and sizes[-1] == 120 and len(set(sizes)) > 50
    middle = len(whole_file) // 2
    assert held(whole_file[:middle] + bytes([whole_file[middle] ^ 1]) + whole_file[middle + 1 :]) < everything
    with pytest.raises(ValueError, match=r"not a \.wandb file"):
        held(b"another")


def test_online_what_the_service_expects_next_decides(make_config: Callable[..., Any]) -> None:
    class Run:
        disabled, offline, starting_step = False, False, 3

    [mirror] = mirrors_of_logger(make_config(name="wandb", project="p", mode="online").logger)
    mirror._mirror._run = Run()  # type: ignore[attr-defined]
    assert mirror.held() == {MirrorRowKey(step, kind) for step in range(3) for kind in (True, False)}

"""Files appear whole or not at all; a link stays a link, a pipe a pipe."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from tvo_cli.tracking import atomic_files
from tvo_cli.tracking.atomic_files import (
    ABANDONED,
    is_unfinished,
    names_in_folder,
    remove_unfinished_files,
    write_text_atomically,
    written_whole,
)


def test_a_link_is_followed_and_nothing_is_left_beside_it_or_its_target(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "real.txt").write_text("old")
    for name in ("real.txt", "not-yet.txt"):
        link = tmp_path / name
        link.symlink_to(Path("there") / name)
        write_text_atomically(link, "new")
        assert link.is_symlink() and (tmp_path / "there" / name).read_text() == "new"
    names = sorted(path.name for path in (tmp_path / "there").iterdir())
    assert names == ["not-yet.txt", "real.txt"] and len(list(tmp_path.iterdir())) == 3


def test_a_target_stays_as_it_was_when_writing_fails(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    with pytest.raises(RuntimeError), written_whole(tmp_path / "link.txt") as file:
        file.write(b"half")
        raise RuntimeError
    assert (tmp_path / "real.txt").read_text() == "old" and len(list(tmp_path.iterdir())) == 2


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    write_text_atomically(pipe, "through")
    assert stat.S_ISFIFO(pipe.stat().st_mode), "it is no file that took the pipe's place"
    reader.join(10)
    assert read == ["through"]


def test_a_device_is_written_to(tmp_path: Path) -> None:
    device = tmp_path / "null"
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))  # as /dev/null
        device.write_text("")
    except PermissionError:
        pytest.skip("only root may make a device, and not on every file system")
    write_text_atomically(device, "gone")
    assert stat.S_ISCHR(device.lstat().st_mode) and [path.name for path in tmp_path.iterdir()] == ["null"]


def test_of_two_who_write_at_once_each_writes_its_own_and_the_last_to_end_has_it_there(tmp_path: Path) -> None:
    path = tmp_path / "real.txt"
    with written_whole(path) as slow:
        slow.write(b"the first to begin, ")
        slow.flush()
        with written_whole(path) as quick:
            quick.write(b"the second")
        assert path.read_text() == "the second"
        slow.write(b"whole")
    assert path.read_text() == "the first to begin, whole" and names_in_folder(tmp_path) == {"real.txt"}


def left_behind(folder: Path, age: float, name: str = "real.txt") -> Path:
    """What a writer that was killed leaves, by stopping one in its middle; it was written to `age` seconds ago."""
    there = set(folder.iterdir())
    with pytest.raises(KeyboardInterrupt), pytest.MonkeyPatch.context() as patch, written_whole(folder / name):
        patch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
        raise KeyboardInterrupt
    (draft,) = set(folder.iterdir()) - there
    then = draft.stat().st_mtime - age
    os.utime(draft, (then, then))
    return draft


def test_what_killed_writers_left_is_passed_over_and_goes_once_nobody_can_be_writing_it(tmp_path: Path) -> None:
    fresh, old = left_behind(tmp_path, 0.5 * ABANDONED), left_behind(tmp_path, 1.5 * ABANDONED)
    theirs = tmp_path / "film.partial"
    theirs.write_text("of another program")
    os.utime(theirs, (0, 0))
    assert is_unfinished(fresh) and not is_unfinished(theirs) and names_in_folder(tmp_path) == {"film.partial"}
    atomic_files._remove_abandoned_files.cache_clear()  # as in another process
    write_text_atomically(tmp_path / "other.txt", "new")
    assert fresh.exists() and not old.exists() and names_in_folder(tmp_path) == {"film.partial", "other.txt"}
    remove_unfinished_files(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"film.partial", "other.txt"}

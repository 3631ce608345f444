"""Files appear whole or not at all; a link stays a link, a pipe a pipe."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from tvo_cli.tracking.atomic_files import write_text_atomically, written_whole


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

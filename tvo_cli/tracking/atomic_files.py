"""Atomic files, written whole or not at all: text, strict JSON, JSON lines."""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

UNFINISHED = re.compile(r".+\.tvo-[0-9a-f]{8}\.partial", re.DOTALL)
ABANDONED = 86400.0  # seconds without a write after which nobody is writing such a file any more


def write_text_atomically(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    write_bytes_atomically(path, text.encode("utf-8", errors="backslashreplace"))  # half a surrogate pair


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as file:
        file.write(content)


@contextmanager
def written_whole(
    path: Path, opened: Callable[[Path], IO[bytes]] = lambda path: path.open("wb")
) -> Iterator[IO[bytes]]:
    """Inside: a file to write to, made by `opened`, that stands under its name only when all of it is there.

    A symbolic link stays, and what it names is written. What is no regular file (a device, a pipe) is written to as
    it is: another file in its place would take it from everybody. Meanwhile the content is in a file of this writer's
    own beside it, so that of two who write at once the last to end has its content there, whole.
    """
    if path.exists() and not path.is_file():
        with opened(path) as file:
            yield file
        return
    target = Path(os.path.realpath(path))
    partial = target.with_name(f"{target.name}.tvo-{secrets.token_hex(4)}.partial")
    _remove_abandoned_files(target.parent)
    try:
        with opened(partial) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def is_unfinished(path: Path) -> bool:
    """Whether a file is what somebody has written of another so far: it goes when that is whole, or was left behind."""
    return UNFINISHED.fullmatch(path.name) is not None


def names_in_folder(folder: Path) -> set[str]:
    """What is in a folder, besides files that are not whole; nothing where there is no such folder."""
    return {path.name for path in folder.glob("*") if not is_unfinished(path)}


def remove_unfinished_files(folder: Path, age: float = 0.0) -> None:
    """Remove what was written of files in a folder and was left behind, with nothing added to it for `age` seconds."""
    for path in filter(is_unfinished, folder.glob("*.partial")):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime >= age:
                path.unlink()


@lru_cache(maxsize=1024)
def _remove_abandoned_files(folder: Path) -> None:
    """Remove what killed writers have left in a folder; each process looks there once."""
    remove_unfinished_files(folder, ABANDONED)


def write_json_atomically(path: Path, content: Any) -> None:
    """Write strict JSON whole or not at all; numbers that are not finite become null."""
    write_text_atomically(path, json.dumps(_strict_json(content), indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def write_json_lines_atomically(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write strict JSON lines whole or not at all."""
    lines = (json.dumps(_strict_json(row), allow_nan=False, ensure_ascii=False) + "\n" for row in rows)
    write_text_atomically(path, "".join(lines))


def _strict_json(value: Any) -> Any:
    """A value as strict JSON is written: what is not finite is null, what JSON does not know its text."""
    if isinstance(value, Mapping):
        return {str(name): _strict_json(child) for name, child in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_strict_json(child) for child in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | bool | None) else str(value)

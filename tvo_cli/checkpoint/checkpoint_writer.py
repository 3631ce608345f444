"""Writing of a checkpoint: whole or not at all, in a hidden folder before it gets its name, by one process or by many.

Every process writes and flushes files of its own; the manifest, which rank 0 makes of what all of them hand over, comes
last. A tensor that several processes hold slices of is in a file of each; every other one is written by rank 0.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from tvo_cli.checkpoint.manifest import MANIFEST, ManifestFile
from tvo_cli.checkpoint.rank_group import (
    ALONE,
    RankGroup,
    first_rank_of_each_host,
    run_on_every_rank,
    run_on_first_rank,
)
from tvo_cli.checkpoint.safetensors_files import write_tensors
from tvo_cli.checkpoint.shard_files import SUFFIX, shard_file
from tvo_cli.checkpoint.tensor_slice import HeldParts, HeldTensor, TensorSlice, values_held
from tvo_cli.file_digest import file_sha256

STATE, POLICY = "state.json", "policy"
SLACK = 2**20  # bytes beyond the tensors: state, tokenizer, manifest, the file system's own


class CheckpointContents(NamedTuple):
    """What is written into a checkpoint; `policy` writes the model into the folder it is given, with all ranks."""

    tensors: HeldParts
    state: Mapping[str, Any]
    policy: Callable[[Path], object] | None
    policy_bytes: int


def save_checkpoint(
    folder: Path,
    *,
    tensors: HeldParts,
    state: Mapping[str, Any],
    policy: Callable[[Path], object] | None = None,
    policy_bytes: int = 0,
    ranks: RankGroup = ALONE,
) -> Path:
    """Write the folder; `policy` writes the model into the subfolder it is given.

    Of several ranks all call this. Each writes the slices that it owns; the state, the manifest and what every rank
    holds whole are rank 0's; `policy` is called on all, for they may have to put the model together.

    Raises:
        OSError: ENOSPC when there is not enough room, found out before anything is written, or any other; on all
            ranks where one fails. What was there before is untouched.
    """
    draft = write_draft(folder, CheckpointContents(tensors, state, policy, policy_bytes), ranks)
    run_on_first_rank(ranks, lambda: rename_into_place(draft, folder))
    return folder


def draft_of(folder: Path) -> Path:
    """The hidden folder of a checkpoint that is not there yet."""
    return folder.with_name(f".{folder.name}.partial")


def write_draft(folder: Path, contents: CheckpointContents, ranks: RankGroup) -> Path:
    """Write, flush and seal all files of a checkpoint; where a rank fails nothing is left, and all raise its error.

    Raises:
        OSError: ENOSPC when a host has not enough room, or the folder of rank 0 is not that of every rank; any other.
    """
    draft, wanted = draft_of(folder), bytes_to_store(contents.tensors) + contents.policy_bytes + SLACK
    try:
        checking = first_rank_of_each_host(ranks) - {0}
        run_on_first_rank(ranks, lambda: _make_empty(draft, wanted))
        run_on_every_rank(ranks, lambda: _check_shared(draft, wanted if ranks.rank in checking else 0), int)
        names = _names_of_own_files(contents.tensors, ranks)
        written = run_on_every_rank(ranks, lambda: _write_own_files(draft, contents, names, ranks), list[ManifestFile])
        run_on_first_rank(ranks, lambda: _seal_draft(draft, [file for files in written for file in files]))
    except Exception:
        if ranks.rank == 0:
            shutil.rmtree(draft, ignore_errors=True)
        raise
    return draft


def bytes_to_store(tensors: HeldParts) -> int:
    """Bytes that a checkpoint's tensors take once written, those of which a slice is here as a whole."""
    return sum(_whole_bytes(held) for named in tensors.values() for held in named.values())


def check_free_space(root: Path, wanted: int) -> None:
    """Raise ENOSPC when fewer bytes are free than a checkpoint takes."""
    free = shutil.disk_usage(root).free
    if free < wanted:
        text = f"No space left on device: {wanted / 1e6:.1f} MB wanted, {free / 1e6:.1f} MB free"
        raise OSError(errno.ENOSPC, text, str(root))


def flush_to_disk(path: Path) -> None:
    """Have the operating system write a checkpoint's file, or a folder's names, to its disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_empty(draft: Path, wanted: int) -> None:
    """Make the folder anew, where there is room for what is wanted."""
    shutil.rmtree(draft, ignore_errors=True)
    draft.parent.mkdir(parents=True, exist_ok=True)
    check_free_space(draft.parent, wanted)
    draft.mkdir()


def _check_shared(draft: Path, wanted: int) -> None:
    """Refuse a folder that rank 0 has made elsewhere, and one without room."""
    if not draft.is_dir():
        raise OSError(errno.ENOENT, "every rank must write into the same folder, and it is not there", str(draft))
    if wanted:
        check_free_space(draft.parent, wanted)


def _whole_bytes(held: HeldTensor) -> int:
    """The bytes that a tensor takes in the written checkpoint, all ranks' slices together."""
    value = values_held(held)
    rows = held.of if isinstance(held, TensorSlice) else None
    numbers = value.numel() if rows is None else rows * prod(value.shape[1:])
    return numbers * value.element_size()


def _names_of_own_files(tensors: HeldParts, ranks: RankGroup) -> dict[str, str]:
    """The file into which this rank writes of each part; none of a part of which it writes nothing.

    One file holds a part that nobody has slices of. Else the ranks that write are numbered, and rank 0 is the first.
    """
    own = [part for part, named in tensors.items() if any(_is_owned_slice(held) for held in named.values())]
    sliced: list[list[str]] = ranks.gather(own, list[str])
    found = {}
    for part in tensors:
        writers = [rank for rank, parts in enumerate(sliced) if part in parts]
        numbered = sorted({0, *writers}) if writers else []
        if ranks.rank in numbered:
            found[part] = shard_file(part, numbered.index(ranks.rank) + 1, len(numbered))
        elif not writers and ranks.rank == 0:
            found[part] = f"{part}{SUFFIX}"
    return found


def _is_owned_slice(held: HeldTensor) -> bool:
    """Whether this rank writes a tensor's slice into its own file of the checkpoint."""
    return isinstance(held, TensorSlice) and held.is_owned


def _write_own_files(
    draft: Path, contents: CheckpointContents, names: Mapping[str, str], ranks: RankGroup
) -> list[ManifestFile]:
    """Write this rank's files of the checkpoint into its draft folder, flushed."""
    with _full_disk_as_os_error(draft):
        if contents.policy is not None:
            contents.policy(draft / POLICY)
        for part, name in names.items():
            write_tensors(draft / name, _own_tensors(contents.tensors[part], is_first=ranks.rank == 0))
        files = [draft / name for name in names.values()]
        if ranks.rank == 0:
            (draft / STATE).write_text(json.dumps(contents.state, indent=1, default=str), encoding="utf-8")
            files += [draft / STATE, *(path for path in (draft / POLICY).rglob("*") if path.is_file())]
        return [_flushed_file(path, draft) for path in sorted(files)]


def _own_tensors(named: Mapping[str, HeldTensor], *, is_first: bool) -> dict[str, HeldTensor]:
    """What a rank writes of a part into its file: its slices, and on rank 0 what every rank holds whole."""
    return {
        name: held
        for name, held in named.items()
        if _is_owned_slice(held) or (is_first and not isinstance(held, TensorSlice))
    }


def _flushed_file(path: Path, draft: Path) -> ManifestFile:
    """Flush a file of the draft and describe it for the manifest."""
    flush_to_disk(path)
    return ManifestFile(path.relative_to(draft).as_posix(), path.stat().st_size, file_sha256(path))


def _seal_draft(draft: Path, written: Sequence[ManifestFile]) -> None:
    """Write the manifest of all ranks' files, flush it and the folders.

    Raises:
        OSError: a file that a rank has written is not here: its folder is another one.
    """
    for file in written:
        path = draft / file.name
        if not path.is_file() or path.stat().st_size != file.bytes:
            raise OSError(errno.ENOENT, "written by a rank, and not there for rank 0: they share no folder", str(path))
    ordered = sorted(written, key=lambda file: PurePosixPath(file.name))
    manifest = {file.name: {"bytes": file.bytes, "sha256": file.sha256} for file in ordered}
    (draft / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    for path in [draft / MANIFEST, *_folders_inside_out(draft)]:
        flush_to_disk(path)


def _folders_inside_out(folder: Path) -> Iterator[Path]:
    """The folders of a checkpoint, inner ones first, itself last: the order to flush them in."""
    yield from sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True)
    yield folder


@contextmanager
def _full_disk_as_os_error(draft: Path) -> Iterator[None]:
    """safetensors says in text alone that a disk is full."""
    try:
        yield
    except Exception as error:
        if "No space left" in str(error) and not isinstance(error, OSError):
            raise OSError(errno.ENOSPC, "No space left on device", str(draft)) from error
        raise


def rename_into_place(draft: Path, folder: Path) -> None:
    """Rename into place; one of the same name (damaged, or without its score) steps aside first, is removed last."""
    aside = folder.with_name(f".{folder.name}.old")
    if folder.exists():
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
    draft.rename(folder)
    flush_to_disk(folder.parent)
    shutil.rmtree(aside, ignore_errors=True)

"""Checkpoints of several ranks: written together, whole or not there, read by any number of them."""

from __future__ import annotations

import errno
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Never

import pytest
import safetensors.torch
import torch
from safetensors import safe_open

from tests.checkpoint.sharded_state import (
    POLICY,
    SHARDED,
    STREAMS,
    WHOLE,
    moments,
    parts_of_rank,
    rows_of_rank,
    save,
    saved_by,
)
from tests.checkpoint.thread_ranks import ThreadRank, results, run_ranks
from tvo_cli.checkpoint import checkpoint_damage, checkpoint_writer, policy_only, safetensors_files
from tvo_cli.checkpoint.checkpoint_damage import find_damage, newest_whole_checkpoint
from tvo_cli.checkpoint.checkpoint_folders import load_checkpoint
from tvo_cli.checkpoint.manifest import MANIFEST
from tvo_cli.checkpoint.pruning import finished_removals
from tvo_cli.checkpoint.shard_files import shard_file
from tvo_cli.checkpoint.tensor_slice import HeldTensor, TensorSlice, values_held
from tvo_cli.errors import UserError
from tvo_cli.file_digest import file_sha256

OPTIMIZER = "optimizer-0000{}-of-00002.safetensors"


def equal(found: HeldTensor, wanted: HeldTensor) -> bool:
    """Of the same rows, type and bits."""
    one, other = values_held(found), values_held(wanted)
    same = torch.equal(one, other) and one.dtype == other.dtype and one.shape == other.shape
    rows = [held.range if isinstance(held, TensorSlice) else None for held in (found, wanted)]
    return same and rows[0] == rows[1]


@pytest.mark.parametrize("writers", [1, 2, 3, 8])
@pytest.mark.parametrize("readers", [1, 2, 3, 5])
def test_what_some_ranks_wrote_any_number_of_ranks_reads(tmp_path: Path, writers: int, readers: int) -> None:
    folder = saved_by(writers, tmp_path)
    assert find_damage(folder) == ""
    for rank in range(readers):
        parts, state = load_checkpoint(folder, rows_of_rank(rank, readers))
        wanted = parts_of_rank(rank, readers)
        assert state == {"step": 10} and parts.keys() == wanted.keys()
        for part, named in wanted.items():
            assert parts[part].keys() == named.keys()
            assert all(equal(parts[part][name], held) for name, held in named.items())


@pytest.mark.parametrize("writers", [1, 2, 3, 8])
def test_one_process_reads_the_whole_of_it(tmp_path: Path, writers: int) -> None:
    parts, _ = load_checkpoint(saved_by(writers, tmp_path))
    assert parts["optimizer"].keys() == moments().keys()
    assert all(equal(parts["optimizer"][name], value) for name, value in moments().items())
    assert all(equal(parts["streams"][name], value) for name, value in STREAMS.items())


def test_each_rank_has_a_file_of_its_slices_and_the_first_what_all_hold(tmp_path: Path) -> None:
    folder = saved_by(3, tmp_path)
    files = [folder / shard_file("optimizer", number, 3) for number in (1, 2, 3)]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [
            *(file.name for file in files),
            "streams.safetensors",
            "policy",
            checkpoint_writer.STATE,
            MANIFEST,
        ]
    )
    held = []
    for file in files:
        with safe_open(file, framework="pt") as content:
            held.append((set(content.keys()), content.metadata()))
    assert held[0][0] == moments().keys() and held[1][0] == held[2][0] == moments().keys() - WHOLE.keys()
    told = [metadata["embed.weight|exp_avg"] for _, metadata in held]
    assert told == ["[0, 3, 7]", "[3, 6, 7]", "[6, 7, 7]"]
    assert [metadata["lone.weight|exp_avg"] for _, metadata in held] == ["[0, 1, 1]", "[1, 1, 1]", "[1, 1, 1]"]


def test_ranks_that_hold_everything_whole_write_what_one_process_writes(tmp_path: Path) -> None:
    def write(rank: ThreadRank) -> Path:
        folder = tmp_path / f"{rank.count}" / "step-000001"
        return checkpoint_writer.save_checkpoint(folder, tensors={"optimizer": moments()}, state={"a": 1}, ranks=rank)

    one, two = (results(run_ranks(n, write))[0] for n in (1, 2))
    names = sorted(path.name for path in one.iterdir())
    assert names == ["manifest.json", "optimizer.safetensors", "state.json"]
    assert [(two / name).read_bytes() for name in names] == [(one / name).read_bytes() for name in names]


def test_ranks_that_hold_the_same_rows_write_them_once(tmp_path: Path) -> None:
    """A mesh of two copies of two shards: ranks 2 and 3 are copies of 0 and 1."""

    def write(rank: ThreadRank) -> Path:
        tensors = parts_of_rank(rank.rank % 2, 2)
        for name, held in tensors["optimizer"].items():
            if isinstance(held, TensorSlice):
                tensors["optimizer"][name] = held._replace(is_owned=rank.rank < 2)
        return checkpoint_writer.save_checkpoint(tmp_path / "step-000010", tensors=tensors, state={}, ranks=rank)

    folder = results(run_ranks(4, write))[0]
    assert sorted(path.name for path in folder.glob("opt*")) == [OPTIMIZER.format(1), OPTIMIZER.format(2)]
    assert all(equal(found, moments()[name]) for name, found in load_checkpoint(folder)[0]["optimizer"].items())


def test_only_files_with_wanted_rows_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = saved_by(4, tmp_path)  # of 7 rows: 2, 2, 2, 1
    read: set[str] = set()
    take = safetensors_files._read_rows

    def reading(content: object, name: str, piece: safetensors_files.StoredPiece, *rest: object) -> torch.Tensor:
        read.update([piece.file.name] if name == "embed.weight|exp_avg" else [])
        return take(content, name, piece, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(safetensors_files, "_read_rows", reading)
    found = []
    for rank in range(3):  # asks for rows 0 to 3, 3 to 6, 6 to 7
        read.clear()
        load_checkpoint(folder, rows_of_rank(rank, 3))
        found.append({int(name.split("-")[1]) for name in read})
    assert found == [{1, 2}, {2, 3}, {4}]


def test_the_manifest_names_the_files_of_all_ranks(tmp_path: Path) -> None:
    folder = saved_by(2, tmp_path)
    manifest = json.loads((folder / MANIFEST).read_text())
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert manifest.keys() == files.keys() - {MANIFEST}
    assert all(entry["bytes"] == files[name].stat().st_size for name, entry in manifest.items())


@pytest.mark.parametrize(
    "file", [OPTIMIZER.format(1), OPTIMIZER.format(2), "policy/model.safetensors", checkpoint_writer.STATE]
)
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_damage_in_any_ranks_file_is_found_on_all(tmp_path: Path, file: str, ranks: int) -> None:
    good, bad = saved_by(2, tmp_path, 10), saved_by(2, tmp_path, 20)
    content = bytearray((bad / file).read_bytes())
    content[-1] ^= 1
    (bad / file).write_bytes(content)
    assert run_ranks(ranks, lambda rank: find_damage(bad, rank)) == [f"{file} differs from its manifest"] * ranks
    found = run_ranks(ranks, lambda rank: newest_whole_checkpoint(tmp_path, lambda text: None, rank))
    assert found == [good] * ranks


def test_each_file_is_read_by_one_rank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, read = saved_by(4, tmp_path), list[tuple[str, str]]()

    def counted(path: Path) -> str:
        read.append((path.name, threading.current_thread().name))
        return file_sha256(path)

    monkeypatch.setattr(checkpoint_damage, "file_sha256", counted)
    assert run_ranks(3, lambda rank: find_damage(folder, rank)) == [""] * 3
    assert sorted(name for name, _ in read) == sorted(
        Path(name).name for name in json.loads((folder / MANIFEST).read_text())
    )


@pytest.mark.parametrize("by_manifest", [True, False])
def test_without_the_file_of_a_rank_it_is_damaged(tmp_path: Path, by_manifest: bool) -> None:
    folder, missing = saved_by(3, tmp_path), shard_file("optimizer", 2, 3)
    (folder / missing).unlink()
    if by_manifest:
        manifest = json.loads((folder / MANIFEST).read_text())
        del manifest[missing]
        (folder / MANIFEST).write_text(json.dumps(manifest))
    assert missing in find_damage(folder)
    with pytest.raises(UserError, match=f"{missing} is missing"):
        load_checkpoint(folder)


def no_space(error: Exception) -> Callable[..., Never]:
    """A write that fails."""

    def fail(*_: object, **__: object) -> Never:
        raise error

    return fail


@pytest.mark.parametrize("failing", [0, 1, 2])
@pytest.mark.parametrize("said", ["by the system", "by safetensors"])
def test_a_disk_that_fills_on_one_rank_ends_it_on_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int, said: str
) -> None:
    old = saved_by(3, tmp_path)
    full = OSError(errno.ENOSPC, "No space left on device") if said == "by the system" else RuntimeError(
        "Error while serializing: I/O error: No space left on device (os error 28)")  # fmt: skip

    def save_file(named: Any, file: Path, **more: Any) -> None:
        if file.name == shard_file("optimizer", failing + 1, 3):
            raise full
        safetensors.torch.save_file(named, file, **more)

    monkeypatch.setattr(safetensors_files, "save_file", save_file)
    errors = run_ranks(3, lambda rank: save(tmp_path, 20, rank))
    assert all(isinstance(error, OSError) and error.errno == errno.ENOSPC for error in errors)
    assert len({str(error) for error in errors}) == 1 and f"on rank {failing}" in str(errors[0])
    assert [path.name for path in tmp_path.iterdir()] == [old.name] and not find_damage(old)
    monkeypatch.undo()
    assert not find_damage(saved_by(3, tmp_path, 20))


@pytest.mark.parametrize("error", [UserError("model.path", "x", "cannot be written."), TypeError("no tensor")])
def test_any_other_error_of_a_rank_is_raised_on_all(tmp_path: Path, error: Exception) -> None:
    def write(rank: ThreadRank) -> Path:
        policy = no_space(error) if rank.rank == 0 else None
        return checkpoint_writer.save_checkpoint(
            tmp_path / "step-000001", tensors={}, state={}, policy=policy, ranks=rank
        )

    errors = run_ranks(2, write)
    kind = UserError if isinstance(error, UserError) else RuntimeError
    assert [type(one) for one in errors] == [kind, kind] and str(error) in str(errors[1])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["writes nothing", "replaces one"])
def test_ranks_that_share_no_folder_are_told_so(tmp_path: Path, what: str) -> None:
    roots = [tmp_path / "host-0", tmp_path / "host-1"]
    if what == "replaces one":
        saved_by(2, roots[0], 10)
    errors = run_ranks(2, lambda rank: save(roots[rank.rank], 20, rank))
    assert all(isinstance(error, OSError) and "same folder" in str(error) for error in errors)
    assert [path.name for path in roots[0].iterdir()] == (["step-000010"] if what == "replaces one" else [])


def test_room_is_looked_for_once_a_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[tuple[str, int]] = []
    names = threading.local()
    monkeypatch.setattr(socket, "gethostname", lambda: names.host)
    monkeypatch.setattr(checkpoint_writer, "check_free_space", lambda root, size: wanted.append((names.host, size)))

    def write(rank: ThreadRank) -> Path:
        names.host = f"host-{rank.rank // 2}"
        return save(tmp_path, 10, rank)

    results(run_ranks(4, write))
    whole = sum(value.numel() * value.element_size() for value in (*moments().values(), *STREAMS.values()))
    assert sorted(wanted) == [("host-0", whole + checkpoint_writer.SLACK), ("host-1", whole + checkpoint_writer.SLACK)]


def test_the_policy_alone_stays_of_a_sharded_checkpoint(tmp_path: Path) -> None:
    folder = saved_by(3, tmp_path)
    sizes = [file.stat().st_size for file in folder.glob("*.safetensors")]
    assert len(sizes) == 4 and not policy_only.is_policy_only(folder)
    [removal] = finished_removals(tmp_path, {folder})
    assert removal.bytes == sum(sizes)
    removal.apply()
    assert policy_only.is_policy_only(folder) and find_damage(folder) == ""
    assert load_checkpoint(folder) == ({}, {"step": 10})
    assert {path.name: path.read_bytes() for path in (folder / "policy").iterdir()} == POLICY


def test_a_part_of_which_no_rank_has_rows_left_still_has_every_file(tmp_path: Path) -> None:
    """One row over four ranks."""
    folder = saved_by(4, tmp_path)
    [last] = folder.glob("optimizer-00004-*")
    with safe_open(last, framework="pt") as content:
        assert content.get_slice("lone.weight|exp_avg").get_shape() == [0, 4]
    assert SHARDED["lone.weight"].shape == (1, 4)


@pytest.mark.parametrize("count", [1, 2])
def test_every_file_and_folder_reaches_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    flushed: list[Path] = []
    flush, rename = checkpoint_writer.flush_to_disk, Path.rename
    named: list[set[Path]] = []

    def flushing(path: Path) -> None:
        flushed.append(path)
        flush(path)

    def renaming(path: Path, target: Path) -> Path:
        named.append({*path.rglob("*"), path} - set(flushed))
        return rename(path, target)

    monkeypatch.setattr(checkpoint_writer, "flush_to_disk", flushing)
    monkeypatch.setattr(Path, "rename", renaming)
    saved_by(count, tmp_path)
    assert named == [set()]
    assert flushed[-1] == tmp_path and flushed[-2].name == ".step-000010.partial"
    assert flushed.index(flushed[-2] / MANIFEST) > 4

"""Whether a checkpoint is whole: every file that its manifest names, by size and sha256; the newest that is.

A damaged one is passed over, with a message, for the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tvo_cli.checkpoint.checkpoint_folders import list_checkpoints
from tvo_cli.checkpoint.checkpoint_writer import STATE
from tvo_cli.checkpoint.manifest import leads_out_of_checkpoint, read_manifest
from tvo_cli.checkpoint.rank_group import ALONE, RankGroup, run_on_every_rank
from tvo_cli.checkpoint.shard_files import shard_files_damage
from tvo_cli.file_digest import file_sha256


def newest_whole_checkpoint(root: Path, report: Callable[[str], object], ranks: RankGroup = ALONE) -> Path | None:
    """The newest whole checkpoint under root; damaged ones are named in `report` and passed over."""
    names: list[str] = ranks.gather([folder.name for folder in list_checkpoints(root)], list[str])[0]
    for folder in (root / name for name in reversed(names)):
        damage = find_damage(folder, ranks)
        if not damage:
            return folder
        report(f"checkpoint {folder.name} is damaged ({damage}); using the one before it")
    return None


def find_damage(folder: Path, ranks: RankGroup = ALONE) -> str:
    """What is wrong with a checkpoint, or ""; each rank reads a share of the files."""
    found = run_on_every_rank(ranks, lambda: list(_own_damage(folder, ranks)), list[tuple[int, str]])
    return min((one for own in found for one in own), default=(0, ""))[1]


def _own_damage(folder: Path, ranks: RankGroup) -> list[tuple[int, str]]:
    """The first damage in a rank's share of the files, with its place in the manifest."""
    try:
        manifest = read_manifest(folder)
        files = {file: (int(entry["bytes"]), str(entry["sha256"])) for file, entry in manifest.items()}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return [(-1, "no readable manifest")]
    if STATE not in files:
        return [(-1, f"its manifest has no {STATE}")]
    if damage := shard_files_damage(file for file in files if "/" not in file):
        return [(-1, f"its manifest is not complete: {damage}")]
    by_size = sorted(enumerate(files.items()), key=lambda one: -one[1][1][0])
    share = sorted(by_size[ranks.rank :: ranks.count])
    damages = ((place, _file_damage(folder, file, *expected)) for place, (file, expected) in share)
    return [one for one in damages if one[1]][:1]


def _file_damage(folder: Path, file: str, expected_bytes: int, sha256: str) -> str:
    """What is wrong with one file; a path that leads out of the folder is never opened."""
    path = folder / file
    if leads_out_of_checkpoint(folder, file):
        return f"{file} leads out of the folder"
    if not path.is_file():
        return f"{file} is missing"
    if path.stat().st_size != expected_bytes or file_sha256(path) != sha256:
        return f"{file} differs from its manifest"
    return ""

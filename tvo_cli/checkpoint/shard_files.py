"""The files of a checkpoint's parts by name, `optimizer-00003-of-00008.safetensors`: which there are, which lack."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from tvo_cli.errors import UserError

SUFFIX = ".safetensors"
SHARD_FILE = re.compile(r"(?P<part>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})")  # without .safetensors, as the hub's


def files_by_part(folder: Path) -> dict[str, list[Path]]:
    """The files of each part of a checkpoint: one, or those of its slices in order.

    Raises:
        UserError: a file of slices is missing, or belongs to another set.
    """
    files = sorted(folder.glob(f"*{SUFFIX}"))
    if damage := shard_files_damage(file.name for file in files):
        raise UserError("checkpoint", folder, f"{damage}.")
    found: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        found[split_shard_file(file.stem)[0]].append(file)
    return dict(found)


def shard_files_damage(names: Iterable[str]) -> str:
    """What is wrong with the numbering of a folder's files of slices, or ""."""
    numbers: dict[str, dict[int, int]] = defaultdict(dict)
    for name in sorted(names):
        part, number, count = split_shard_file(name.removesuffix(SUFFIX))
        earlier = next(iter(numbers[part].values()), count)
        if count != earlier or not min(count, 1) <= number <= count:
            return f"{name} belongs to another set of files than the others of {part}"
        numbers[part][number] = count
    for part, held in numbers.items():
        count = next(iter(held.values()))
        if missing := [number for number in range(1, count + 1) if number not in held]:
            return f"{shard_file(part, missing[0], count)} is missing"
    return ""


def split_shard_file(stem: str) -> tuple[str, int, int]:
    """Part, number and count of a file's name without its suffix; number and count 0 of one that holds a part alone."""
    found = SHARD_FILE.fullmatch(stem)
    return (found["part"], int(found["number"]), int(found["count"])) if found else (stem, 0, 0)


def shard_file(part: str, number: int, count: int) -> str:
    """optimizer-00003-of-00008.safetensors, counted from 1."""
    return f"{part}-{number:05d}-of-{count:05d}.safetensors"

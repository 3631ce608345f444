"""A sweep of a comparison, and the words that start it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

FRESH = tuple(range(1000, 1010))  # the seeds that are reported


class Sweep(NamedTuple):
    """A part of the comparison: its preset and what is given besides."""

    name: str
    preset: str
    jobs: int
    batches: int  # of a run
    shape: str = ""  # overrides that its rows have besides their algorithm
    words: tuple[str, ...] = ()
    seeds: tuple[int, ...] = FRESH


def later(
    name: str,
    preset: str,
    row: str,
    jobs: int,
    batches: int,
    words: tuple[str, ...] = (),
    seeds: tuple[int, ...] = FRESH,
) -> Sweep:
    """A sweep of one row: an algorithm and the overrides behind its name."""
    algorithm, _, shape = row.partition(" ")
    return Sweep(name, preset, jobs, batches, shape, (f"algorithm={algorithm}", *shape.split(), *words), seeds)


def last_of_each(words: Iterable[str]) -> list[str]:
    """Each key once: the last one counts."""
    return [f"{key}={value}" for key, value in dict(word.split("=", 1) for word in words).items()]


def folder_name(sweep: Sweep) -> str:
    """The name of a sweep's folder, from its own."""
    return re.sub(r"[^\w.]+", "-", sweep.name)

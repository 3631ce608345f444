"""Ranks that write a checkpoint together and are killed: what is there is the old one or the new one, whole."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.checkpoint.sharded_state import moments, save, saved_by
from tests.checkpoint.thread_ranks import Killed, ThreadRank, results, run_ranks
from tests.training import faults
from tvo_cli.checkpoint import checkpoint_damage, checkpoint_folders, pruning, safetensors_files

OLD, NEW = "step-000010", "step-000020"
POINTS = [(os, "fsync"), (Path, "rename"), (shutil, "rmtree"), (safetensors_files, "save_file"),
          (Path, "write_text"), (Path, "mkdir"), (ThreadRank, "gather")]  # fmt: skip


def assert_whole(root: Path) -> None:
    """There is the old one, perhaps the new one, both whole; and the next save goes well and leaves nothing else."""
    said: list[str] = []
    newest = checkpoint_damage.newest_whole_checkpoint(root, said.append)
    assert said == [] and newest is not None and newest.name in (OLD, NEW)
    assert checkpoint_damage.find_damage(root / OLD) == ""
    assert len(checkpoint_folders.load_checkpoint(newest)[0]["optimizer"]) == len(moments())
    pruning.remove_leftovers(root)
    saved_by(2, root, 20)
    assert sorted(path.name for path in root.iterdir()) == [OLD, NEW] and not checkpoint_damage.find_damage(root / NEW)


@pytest.mark.slow
def test_all_ranks_killed_between_any_two_operations_on_files(tmp_path: Path) -> None:
    saved_by(2, tmp_path / "counted", 10)
    kinds = faults.events(partial(saved_by, 2, tmp_path / "counted", 20))
    assert set(kinds) >= faults.SAVING - {"replace"} and kinds.count("save_file") == 3
    for at in range(len(kinds)):
        root = tmp_path / f"cut-{at}"
        saved_by(2, root, 10)
        assert faults.killed(partial(saved_by, 2, root, 20), at, after=bool(at % 2)), (at, kinds[at])
        assert_whole(root)


class DyingRank:
    """Saves as one of two ranks, one of which ends as if killed at its operation number `at`."""

    def __init__(self, root: Path, victim: int, at: int) -> None:
        self.root, self.victim, self.at = root, victim, at
        self.here, self.count = threading.local(), 0

    def strike(self, take: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Do an operation, unless it is the last."""
        if getattr(self.here, "rank", None) == self.victim:
            self.count += 1
            if self.count == self.at:
                raise Killed(self.at)
        return take(*args, **named)

    def save(self, rank: ThreadRank) -> Path:
        """Save, counting the operations of this thread alone."""
        self.here.rank = rank.rank
        try:
            return save(self.root, 20, rank)
        finally:
            self.here.rank = None


def saved_with_a_death(root: Path, victim: int, at: int) -> list[Path | BaseException]:
    """What a save gives or raises on both ranks."""
    dying = DyingRank(root, victim, at)
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in POINTS:
            take = getattr(owner, name)
            patch.setattr(owner, name, lambda *args, _take=take, **named: dying.strike(_take, *args, **named))
        return run_ranks(2, dying.save)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_one_rank_killed_at_any_of_its_operations(tmp_path: Path, victim: int) -> None:
    """The other is told at an exchange that it is gone; nothing half-written gets a name."""
    for at in range(1, 100):
        root = tmp_path / f"cut-{at}"
        saved_by(2, root, 10)
        found = saved_with_a_death(root, victim, at)
        assert_whole(root)
        if not isinstance(found[victim], Killed):
            break
        assert isinstance(found[1 - victim], threading.BrokenBarrierError)
    assert 5 < at < 99 and results(found) == [root / NEW] * 2

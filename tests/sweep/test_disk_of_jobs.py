"""What jobs of a sweep hold already: found by their overrides, unless they would run anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tvo_cli.checkpoint.disk_size import HeldCheckpoints
from tvo_cli.sweep.disk_of_jobs import NOTHING, HeldDisk, disk_held_by_jobs
from tvo_cli.sweep.sweep_index import SweepIndex, SweepJob

A, B = "a" * 64, "b" * 64
JOBS = [[*words, "output_dir=elsewhere"] for words in (["seed=3"], ["seed=1"], ["seed=2"])]


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Seed 1 is finished, seed 2 was interrupted; seed 3 was not asked for."""
    index = SweepIndex(tmp_path)
    for seed, fingerprint, state in ((1, A, "finished"), (2, B, "interrupted")):
        place = tmp_path / f"s{seed}"
        for name, size in (("checkpoints/step-000001/a", 100 * seed), ("recorder/b", 7), ("metrics.jsonl", 1000)):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(b"x" * size)
        index.add(SweepJob(fingerprint, place.name, [f"seed={seed}"], f"tvo train seed={seed}", state=state))
    index.save()
    return tmp_path


def test_checkpoints_and_recordings_are_counted(sweep: Path) -> None:
    held = disk_held_by_jobs(sweep, JOBS, lambda number: {1: A, 2: B}[number])
    there = [HeldCheckpoints((size,), 1) for size in (100, 200)]
    assert held == [NOTHING, HeldDisk(107, True, there[0]), HeldDisk(207, False, there[1])]


def test_what_is_no_part_of_a_job_does_not_hide_it(sweep: Path) -> None:
    jobs = [[*job, "resume=must", "logger=none", "recorder=off"] for job in JOBS]
    held = disk_held_by_jobs(sweep, jobs, lambda number: {1: A, 2: B}[number])
    assert [one.held for one in held] == [0, 107, 207]


def test_jobs_are_found_by_their_folders_where_the_index_was_removed(sweep: Path) -> None:
    """Seed 1 says that it is finished; that of seed 2 was killed before it could say anything."""
    (sweep / "sweep.json").unlink()
    for seed, fingerprint, state in ((1, A, "finished"), (2, B, "running")):
        own = {"fingerprint": fingerprint, "state": state, "overrides": [f"seed={seed}", f"output_dir={sweep}/s{seed}"]}
        (sweep / f"s{seed}" / "state.json").write_text(json.dumps(own))
    held = disk_held_by_jobs(sweep, JOBS, lambda number: {1: A, 2: B}[number])
    assert [one[:2] for one in held] == [(0, False), (107, True), (207, False)]
    assert disk_held_by_jobs(sweep, JOBS, lambda number: "c" * 64) == [NOTHING] * 3


def test_jobs_that_would_run_anew_hold_nothing(sweep: Path) -> None:
    assert disk_held_by_jobs(sweep, JOBS, lambda number: "c" * 64) == [NOTHING] * 3


def test_a_sweep_that_never_ran_holds_nothing(tmp_path: Path) -> None:
    def unasked(number: int) -> str:
        raise AssertionError("no job has to be composed")

    assert disk_held_by_jobs(tmp_path, JOBS, unasked) == [NOTHING] * 3
